//go:build !windows

package main

import (
	"os"
	"testing"
	"time"

	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/erasures"
)

// TestForget: the tool gives the gateway the registry's order, and says what to do with a paper that is none; a house
// without a registry takes none.
func TestForget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	issuer, _ := gatewaytest.Keys(t, b.path("state"))
	town := gatewaytest.Town{Issuer: issuer, CA: []byte{0}, Doors: []string{"front", "yard"}}
	order, err := erasures.Order{Number: wire.ID{9}, Tenancy: wire.ID{7}, Made: uint32(time.Now().Unix())}.Sign(town.Place().Building, 0, issuer)
	must(t, err)
	must(t, os.WriteFile(b.path("order"), order, 0o600))
	must(t, os.WriteFile(b.path("cut"), order[:len(order)/2], 0o600))
	stop := b.serve()
	b.fails("", []string{"has no registry", "hint: a standalone house keeps no tenancies"}, "forget", b.path("order"))
	stop()
	town.Enrol(t, b.path("state"))
	stop = b.serve()
	b.fails("", []string{"none 读不了 can't be read: 没有这个文件 there is no such file", "hint: 写明登记中心给的命令"}, "forget", b.path("none"))
	b.fails("", []string{"这不是登记中心签名的抹除命令 this is no order to erase", "hint: 由登记中心用 registryd forget", "registryd forget TENANCY --order FILE writes one"}, "forget", b.path("cut"))
	if out := b.ok("", "forget", b.path("order")); out != "已接受，几分钟内从本机日志中抹去，不必重复下达 taken: erased from this gateway's log within minutes, also after a restart; no need to give it again\n" {
		t.Error(out)
	}
	if out := b.ok("", "--json", "forget", b.path("order")); out != "{}\n" {
		t.Errorf("it tells %s", out)
	}
	stop()
	if n := b.entries(wire.KindSpace, wire.ReasonForget); n != 2 {
		t.Errorf("%d orders are in the log", n)
	}
}
