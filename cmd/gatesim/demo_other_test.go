//go:build !linux

package main

import "testing"

func (d *demo) startPlain(*testing.T) error { return d.Start() }
