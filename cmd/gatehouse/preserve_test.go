//go:build !windows

package main

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire/mandates"
)

// TestPreserve is an officer's way before there is a mandate, with the tool alone: the order is signed by a key here
// or in a token, and shown to the gateway, which holds it for a week and tells nothing of the log. What a gateway
// would refuse is not signed.
func TestPreserve(t *testing.T) {
	b := newBench(t)
	state := b.path("state")
	issuer, _ := gatewaytest.Keys(t, state)
	town := gatewaytest.Town{Issuer: issuer, CA: []byte{0}, Doors: []string{"front", "yard"}}
	town.Enrol(t, state)
	b.serve()
	for _, name := range []string{"officer.key", "other.key"} {
		b.ok("", "mandate", "key", b.path(name))
	}
	place, now := town.Place(), time.Now()
	key, err := keys.LoadPrivateKey(b.path("officer.key"))
	must(t, err)
	certificate := func(until time.Time) string {
		c, err := mandates.Certificate{Public: [32]byte(key.Public().(ed25519.PublicKey)), Unit: "一队", Badge: "000001", District: place.District, Town: place.Town,
			From: uint32(until.AddDate(0, 0, -30).Unix()), Until: uint32(until.Unix())}.Sign("town", 0, issuer)
		must(t, err)
		path := b.path(until.Format("0102.cert"))
		must(t, os.WriteFile(path, c, 0o600))
		return path
	}
	flags := map[string]string{"--gateway": place.Address(), "--door": "front", "--from": now.Add(-2 * time.Hour).Format(time.RFC3339), "--to": now.Add(-time.Hour).Format(time.RFC3339),
		"--case": "A440000-2026-1", "--officer": certificate(now.AddDate(0, 0, 5)), "--key": b.path("officer.key")}
	sign := func(out string, other ...string) []string {
		args := []string{"preserve", "sign", "--out", b.path(out)}
		for flag, value := range flags {
			for i := 0; i < len(other); i += 2 {
				if other[i] == flag {
					value = other[i+1]
				}
			}
			args = append(args, flag, value)
		}
		return args
	}
	trusted := []string{"--trust", filepath.Join(state, "keys", keys.TrustFile), "--root", filepath.Join(state, "keys", keys.RootFile)}
	written := now.Add(-2 * time.Hour).In(time.FixedZone("", -3*3600-1800))
	if out := b.ok("", sign("zoned", "--from", written.Format(time.RFC3339))...); !strings.Contains(out, " front "+written.Format("2006-01-02 15:04:05 -07:00 – ")) {
		t.Errorf("the zone that a time is written with is another when it is shown: %s", out)
	}
	if out := b.ok("", append(sign("order"), trusted...)...); !strings.Contains(out, "已签名 signed: "+b.path("order")) || !strings.Contains(out, "gatehouse preserve "+b.path("order")) {
		t.Error(out)
	}
	if out := b.ok("", "preserve", b.path("order")); !strings.Contains(out, "preserved for at least 168 hours from now") { // the bench knows no time
		t.Error(out)
	}
	var again struct {
		Again   bool
		Seconds int64
	}
	must(t, json.Unmarshal([]byte(b.ok("", "--json", "preserve", b.path("order"))), &again))
	if !again.Again || again.Seconds > 7*86400 || again.Seconds < 7*86400-3600 {
		t.Errorf("shown again: %+v", again)
	}
	b.ok("", sign("roof", "--door", "roof")...)
	if status, out, errOut := b.tool("", "preserve", b.path("roof")); status != 1 || !strings.Contains(out, "不予保全 refused: no_such_door\n") || !strings.Contains(out, "there is no door roof here") ||
		!strings.Contains(errOut, "does not take the order: no_such_door\nhint: ") {
		t.Errorf("another door: %d\n%s%s", status, out, errOut)
	}

	b.fails("", []string{"is there already"}, sign("order")...)
	b.fails("", []string{"span_too_wide", "24h0m1s", "hint: "}, sign("no", "--from", now.Add(-25*time.Hour-time.Second).Format(time.RFC3339))...)
	b.fails("", []string{"span_future", "时间段须在签名之前开始，可以在签名之后结束", "may end after it"}, sign("no", "--from", now.Add(time.Hour).Format(time.RFC3339), "--to", now.Add(2*time.Hour).Format(time.RFC3339))...)
	b.fails("", []string{"缺少 missing: --case\nhint: "}, sign("no", "--case", "")...)
	b.fails("", []string{"certificate_over"}, sign("no", "--officer", certificate(now.AddDate(0, 0, -1)))...)
	b.fails("", []string{"is of another key", "hint: 须是同一人的 --officer 和 --key；--officer FILE and --key FILE of the same officer"}, sign("no", "--key", b.path("other.key"))...)
	b.fails("", []string{"--gateway \"lane-7\": 楼栋/网关 BUILDING/GATEWAY\nhint: "}, sign("no", "--gateway", "lane-7")...)
	b.fails("", []string{"order 不是登记中心签发的侦查人员证书 is no officer's certificate of the registry\nhint: 由登记中心的管理人员制作 the operator of the registry makes it: registryd officer add"}, sign("no", "--officer", b.path("order"))...)
	b.ok("", sign("ahead", "--from", now.Add(-time.Hour).Format(time.RFC3339), "--to", now.Add(time.Hour).Format(time.RFC3339))...)
	for _, bad := range []string{"yesterday", now.Add(-time.Hour).Format("2006-01-02 15:04"), now.Add(-time.Hour).Format("2006-01-02T15:04:05")} {
		b.fails("", []string{"不是带时区的时间 no time with a zone: \"" + bad, "hint: 连同时区写 write it with its zone: 2026-01-31T08:00:00+08:00"}, sign("no", "--from", bad)...)
	}
	b.fails("", []string{"--door \"前门\": 不是门的名称 no name of a door", "hint: 门的名称", "gatehouse status in the house shows them"}, sign("no", "--door", "前门")...)
	b.fails("", []string{"no 读不了 can't be read: 没有这个文件 there is no such file", "hint: 写明 gatehouse preserve sign --out 写出的保全令"}, "preserve", b.path("no"))

	b.fails("", []string{"有 5 处不对，什么都没有做 5 things are wrong, and nothing was done:\n  1. --gateway ", "\n  2. 不是带时区的时间", "\n  3. " + b.path("none") + " 读不了", "\n     hint: " + "由登记中心的管理人员制作", "\n  4. ", "\n  5. " + b.path("order") + " 已经存在"},
		sign("order", "--gateway", "lane-7", "--to", "noon", "--officer", b.path("none"), "--key", b.path("none"))...)
	b.fails("", []string{"2 things are wrong, and nothing was done:\n  1. 缺少 missing: --gateway, --from, --to, --case, --officer, --out\n", "\n  2. --door \"前门\": "}, "preserve", "sign", "--door", "前门")

	self, err := os.Executable()
	must(t, err)
	with := append([]string{"--sign-with", self + " -test.run ^TestToken$", "--public", b.path("officer.key.pub")}, without(sign("token"), "--key")...)
	t.Setenv(tokenKey, b.path("officer.key"))
	b.ok("", append([]string{"preserve", "sign"}, with...)...)
	b.ok("", "preserve", "ask", b.path("token"))
	t.Setenv(tokenKey, b.path("other.key"))
	b.fails("", []string{"the signature does not hold: nothing is written"}, append([]string{"preserve", "sign"}, append(with, "--out", b.path("wrong"))...)...)
}

// without returns flags without one of them, and without the command.
func without(args []string, flag string) (rest []string) {
	for i := 2; i < len(args); i += 2 {
		if args[i] != flag {
			rest = append(rest, args[i], args[i+1])
		}
	}
	return rest
}
