// Command gatehouse-page is the landlord's page of one building: a program of its own
// beside the daemon, without rights over doors, log and keys. It knows the daemon's
// socket alone.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/input"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
)

// version is set by the packager with -ldflags.
var version = "dev"

// cli is the command line; kong reads it from the tags.
type cli struct {
	State string `help:"What the page keeps: accounts, its certificate (${default})." default:"/var/lib/gatehouse-page" placeholder:"DIRECTORY"`

	Serve    serveCmd    `cmd:"" default:"withargs" help:"Serve the page of the house, until it is ended; so does gatehouse-page without a command."`
	Code     codeCmd     `cmd:"" help:"Print the code of the label, which makes the first owner."`
	Label    labelCmd    `cmd:"" help:"Write the label of the box, to print: its Wi-Fi and its page as pictures for a telephone's camera, and the code."`
	Password passwordCmd `cmd:"" help:"Give an account the password on standard input, and end its sessions; without a name, list the accounts."`

	Version kong.VersionFlag `help:"Print the version."`
}

// session is what the commands share.
type session struct {
	ctx   context.Context
	state string
	command.Console
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "gatehouse-page", Version: version, Out: out, Err: errOut, Description: "The landlord's page of one building, over the socket of gatehoused."}
	cmd, status := tool.Parse(&c, args)
	if cmd == nil {
		return status
	}
	s := &session{ctx: ctx, state: c.State, Console: command.Console{Name: tool.Name, In: input.Reader{Ctx: ctx, From: in}, Out: command.Screen{To: out}, Err: command.Screen{To: errOut}}}
	if err := cmd.Run(s); err != nil {
		s.Complain(err)
		return 1
	}
	return 0
}

// accounts opens the accounts of the page.
func (s *session) accounts() (*account.Store, error) {
	if err := durable.MakeDir(s.state, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the page: %w", err)
	}
	return account.Open(s.state)
}

type codeCmd struct{}

func (codeCmd) Run(s *session) error {
	code, err := s.code()
	if err == nil {
		fmt.Fprintln(s.Out, code)
	}
	return err
}

// code is the code that makes the first owner, as people read it.
func (s *session) code() (string, error) {
	all, err := s.accounts()
	if err != nil {
		return "", err
	}
	code, err := all.Code()
	if errors.Is(err, account.ErrClaimed) {
		return "", socket.Hinted("sign in at the page; who forgot the password runs gatehouse-page password as root", "the house has an owner")
	}
	if err != nil {
		return "", err
	}
	return code[:4] + " " + code[4:], nil
}

// passwordCmd is for whoever forgot one, and has the machine. All sessions of the account
// end with it.
type passwordCmd struct {
	Name string `arg:"" optional:"" help:"The account's name."`
}

func (c passwordCmd) Run(s *session) error {
	all, err := s.accounts()
	if err != nil {
		return err
	}
	a, ok := all.Named(c.Name)
	if !ok {
		return c.unknown(s, all.All())
	}
	line, err := bufio.NewReader(io.LimitReader(s.In, 1024)).ReadString('\n')
	if s.ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil && line == "" {
		return socket.Hinted("gatehouse-page password NAME, then type it and the enter key", "no password on standard input")
	}
	_, err = all.SetPassword(a.ID, strings.TrimRight(line, "\r\n"))
	return err
}

// unknown lists the accounts, and says that none of them was named.
func (c passwordCmd) unknown(s *session, all []account.Account) error {
	for _, each := range all {
		fmt.Fprintf(s.Out, "%s\t%s\n", each.Role, each.Name)
	}
	switch {
	case len(all) == 0:
		return socket.Hinted("gatehouse-page code prints the code that makes the first owner, at the page", "there is no account in %s", s.state)
	case c.Name == "":
		return socket.Hinted("gatehouse-page password NAME, with a name of these, then type the new password and the enter key", "no account is named")
	}
	return socket.Hinted("gatehouse-page password NAME, with a name of these", "no account is named %q", c.Name)
}

// serveCmd has the flags of the page itself.
type serveCmd struct {
	Socket string `help:"The daemon's socket (${default})." default:"/run/gatehouse/gatehouse.sock" placeholder:"PATH"`
	Listen string `help:"Where the page speaks TLS, several with commas; empty: nowhere (${default})." default:":443" placeholder:"ADDRESS"`
	Plain  string `help:"Where it speaks without TLS: only this machine and the box's own network." placeholder:"ADDRESS"`
	Names  string `name:"name" help:"Host names of the gateway, several with commas." placeholder:"NAME"`
}

func (c serveCmd) Run(s *session) error {
	log := zerolog.New(s.Err).With().Timestamp().Logger()
	all, err := s.accounts()
	if err != nil {
		return err
	}
	w := web.Options{Daemon: daemonAt(c.Socket), Accounts: all, Secure: list(c.Listen), Plain: list(c.Plain), Names: list(c.Names), Version: version, Log: log}
	if len(w.Secure) > 0 {
		own, err := certificate.Own(s.state, append(w.Names, ownNames()...))
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
	return page.Run(s.ctx)
}

// daemonAt is the daemon behind a socket. One that hangs is told, and gets no command that it would
// carry out when it wakes up.
func daemonAt(socket string) *control.Client {
	return control.NewClientWithin(network.Network{}, socket, control.AnswerWithin)
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
