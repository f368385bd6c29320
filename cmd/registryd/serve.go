package main

type serveCmd struct {
	Config string `help:"The front's configuration." default:"/var/lib/gatehouse-registry/front/front.toml" placeholder:"FILE"`
}

// Run serves until it is told to stop.
func (c serveCmd) Run(s *session) error { return hinted("", "not there yet") }
