package todo

import (
	"errors"
	"fmt"
	"io/fs"

	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keys"
)

// keyFileProblems returns each file of an enrolment that is missing or unusable, with what brings
// it back: enrolling again makes what is missing, and keeps the rest. Files without which no card
// opens have a line of their own (keysProblem). House and trust document come again from the
// registry.
func keyFileProblems(g *gateway.Gateway, initialised bool) (list toDo) {
	path := func(file string) string { return g.Site.Path("keys", file) }
	if g.Keyring.Keys.Registry() == nil {
		r, err := keys.LoadRegistry(path(""))
		if r == nil && err != nil && initialised {
			list.addKeyFile(g, path(keys.RegistryFile), "it goes on as a standalone house", err)
		}
		return list
	}
	_, gatewayKey := keys.LoadPrivateKey(path(keys.GatewayKeyFile))
	_, sealKey := keys.LoadSealKey(path(keys.SealKeyFile))
	client, certificate := enrol.ClientFiles(path(""))
	for _, f := range []struct {
		file, without string
		err           error
	}{
		{keys.GatewayKeyFile, "nothing that this gateway says is signed", gatewayKey},
		{keys.SealKeyFile, "siblings can't send it the building's key", sealKey},
		{keys.ClientKeyFile, "the registry's broker does not let it in", client},
		{keys.ClientCertFile, "the registry's broker does not let it in. It is asked for anew by itself within minutes; if this line stays", certificate},
	} {
		if f.err != nil {
			list.addKeyFile(g, path(f.file), f.without, f.err)
		}
	}
	return list
}

// KeysWhole reports whether a gateway that is enrolled has every key file that its registry asks for.
// One that was restored from a backup has not: it takes a token in the place of the machine before.
func KeysWhole(g *gateway.Gateway) bool { return len(keyFileProblems(g, true)) == 0 }

func (l *toDo) addKeyFile(g *gateway.Gateway, path, without string, err error) {
	what, first := "can't be used ("+oneLine(err)+")", "move "+path+" away and "
	if errors.Is(err, fs.ErrNotExist) {
		what, first = "is gone", ""
	}
	l.add("key_file", "", "%s %s, so %s: %s%s, then start the daemon again", path, what, without, first, enrolAgain(g))
}

// enrolAgain returns the commands that enrol a gateway again in its place.
func enrolAgain(g *gateway.Gateway) string {
	at := ""
	if r := g.Keyring.Keys.Registry(); r != nil {
		at = fmt.Sprintf(" --district %s --town %s --building %s --gateway %s", r.Place.District, r.Place.Town, r.Place.Building, r.Place.Gateway)
	}
	return "enrol the gateway with a new token (at the registry registryd gateway add --replace" + at + ", here gatehouse enrol)"
}
