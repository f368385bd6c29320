// Command gatehouse-page is the landlord's page of one building: a program of its own
// beside the daemon, without rights over doors, log and keys. It knows the daemon's
// socket alone.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
)

// version is set by the packager with -ldflags.
var version = "dev"

const usage = `usage:
  gatehouse-page            serve the page of the house
  gatehouse-page code       print the code of the label, which makes the first owner
  gatehouse-page password NAME
                            give an account the password on standard input; without NAME it
                            lists the accounts
  gatehouse-page version    print the version
flags:
  --state DIRECTORY   what the page keeps: accounts, its certificate (/var/lib/gatehouse-page)
  --socket PATH       the daemon's socket (/run/gatehouse/gatehouse.sock)
  --listen ADDRESS    where the page speaks TLS, several with commas; empty: nowhere (:443)
  --plain ADDRESS     where it speaks without TLS: only this machine and the box's own network
  --name NAME         host names of the gateway, several with commas
`

// options are the flags.
type options struct{ state, socket, listen, plain, names string }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	var o options
	flags := flag.NewFlagSet("gatehouse-page", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	flags.StringVar(&o.state, "state", "/var/lib/gatehouse-page", "")
	flags.StringVar(&o.socket, "socket", "/run/gatehouse/gatehouse.sock", "")
	flags.StringVar(&o.listen, "listen", ":443", "")
	flags.StringVar(&o.plain, "plain", "", "")
	flags.StringVar(&o.names, "name", "", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	var err error
	switch {
	case flags.NArg() > 1 || flags.NArg() == 1 && command != "password" || !slices.Contains([]string{"serve", "code", "password", "version"}, command):
		fmt.Fprintf(stderr, "gatehouse-page: what is %q?\n%s", append([]string{command}, flags.Args()...), usage)
		return 2
	case command == "version":
		fmt.Fprintln(stdout, "gatehouse-page", version)
	case command == "code":
		err = printCode(o, stdout)
	case command == "password":
		err = setPassword(o, flags.Arg(0), os.Stdin, stdout)
	default:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		err = serve(ctx, o, stderr)
		stop()
	}
	if err != nil {
		fmt.Fprintf(stderr, "gatehouse-page: %v\n", err)
		return 1
	}
	return 0
}

func accounts(o options) (*account.Store, error) {
	if err := durable.MakeDir(o.state, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the page: %w", err)
	}
	return account.Open(o.state)
}

func printCode(o options, stdout io.Writer) error {
	all, err := accounts(o)
	if err != nil {
		return err
	}
	code, err := all.Code()
	if errors.Is(err, account.ErrClaimed) {
		return errors.New("the house has an owner: sign in at the page; who forgot the password runs `gatehouse-page password` as root")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s %s\n", code[:4], code[4:])
	return nil
}

// setPassword is for whoever forgot one, and has the machine. All sessions of the account
// end with it.
func setPassword(o options, name string, stdin io.Reader, stdout io.Writer) error {
	all, err := accounts(o)
	if err != nil {
		return err
	}
	a, ok := all.Named(name)
	if !ok {
		for _, each := range all.All() {
			fmt.Fprintf(stdout, "%s\t%s\n", each.Role, each.Name)
		}
		return fmt.Errorf("no account is named %q; `gatehouse-page password NAME` with a name of these", name)
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 1024)).ReadString('\n')
	if err != nil && line == "" {
		return errors.New("no password on standard input: gatehouse-page password NAME, then type it and the enter key")
	}
	_, err = all.SetPassword(a.ID, strings.TrimRight(line, "\r\n"))
	return err
}

func serve(ctx context.Context, o options, stderr io.Writer) error {
	log := zerolog.New(stderr).With().Timestamp().Logger()
	all, err := accounts(o)
	if err != nil {
		return err
	}
	w := web.Options{Daemon: control.NewClient(o.socket), Accounts: all, Secure: list(o.listen), Plain: list(o.plain), Names: list(o.names), Version: version, Log: log}
	if len(w.Secure) > 0 {
		own, err := certificate.Own(o.state, append(w.Names, ownNames()...))
		if err != nil {
			return err
		}
		w.TLS = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
		log.Info().Str("sha256", certificate.Fingerprint(own)).Msg("certificate of the page")
	}
	page, err := web.New(w)
	if err != nil {
		return err
	}
	return page.Run(ctx)
}

// list splits a flag at its commas.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// ownNames are the names and addresses by which people reach this machine.
func ownNames() []string {
	names := []string{"localhost", "gatehouse.local", "127.0.0.1"}
	if host, err := os.Hostname(); err == nil {
		names = append(names, host, host+".local")
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	return names
}
