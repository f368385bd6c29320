// Command gatehoused is the edge daemon of one building.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own

	"gatehouse/device/gpio"
	"gatehouse/device/uart"
	"gatehouse/internal/discovery"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/site"
)

// version is set by the packager with -ldflags.
var version = "dev"

const usage = `usage:
  gatehoused --config FILE           serve the building that FILE describes, and while there is no such
                                     file, or a wrong one, serve no door and wait for it; with --pprof its
                                     socket has profiles of the daemon, and is for root and its user alone
  gatehoused check [FILE]            list the GPIO chips of this machine, read FILE, and say what is wrong;
                                     as root also which other programs have the ports open
  gatehoused discover [PORT ...]     find the board, and the readers at its lines and serial ports, or at
                                     those named; --listen 30s also those that speak when a card is
                                     held up; --json for programs. Call it as root, with the daemon stopped
  gatehoused restore FILE            make this machine the gateway of a backup, by the recovery code that stands
                                     on the first line of its input; --json for programs. With --registry instead
                                     of FILE the registry's backup, by the token that stands on the lines after
                                     it. Call it as root, with the daemon stopped
  gatehoused secure --config FILE    leave every relay de-energised, and end
  gatehoused checkpoint DIRECTORY    print the newest checkpoint of a journal that gateway and registry have both signed, as
                                     stock verifiers read it; while the daemon runs it may be five minutes old
  gatehoused journal verify DIRECTORY   check the whole log of a state directory: its files, what grants and registry say that
                                     it must have, what is not cosigned yet. 0: whole; 1: missing, damaged or changed;
                                     75: not all could be checked. --lang zh or en. It writes nothing there
  gatehoused journal dump DIRECTORY  print what the log says happened, never to whom; --json for programs
  gatehoused verify FILE             check a file of the journal
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("gatehoused", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	showVersion := flags.Bool("version", false, "print the version")
	config := flags.String("config", "/etc/gatehouse/site.toml", "the site file")
	profiles := flags.Bool("pprof", false, "answer with profiles of the daemon on its socket, which is for root and the daemon's user alone then")
	asJSON := flags.Bool("json", false, "discover: print JSON for programs")
	registry := flags.Bool("registry", false, "restore: the backup that the registry keeps")
	listen := flags.Duration("listen", 0, "discover: how long to listen for cards")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *showVersion {
		command = "version"
	}
	if status, ok := readLog(command, flags.Args(), stdout, stderr); ok {
		return status
	}
	var err error
	switch command {
	case "serve":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		err = serve(ctx, service{config: *config, profiles: *profiles, hardware: hardware(), env: os.Getenv, stderr: stderr})
		stop()
	case "check":
		err = check(flags, *config, stdout)
	case "discover":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		err = discover(ctx, discovery.Request{Ports: flags.Args(), Listen: *listen}, *asJSON, stdout, stderr)
		stop()
	case "restore":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		err = restoring{files: flags.Args(), registry: *registry, config: *config, asJSON: *asJSON, stdin: os.Stdin, stdout: stdout}.run(ctx)
		stop()
	case "secure":
		err = secure(*config)
	case "version":
		fmt.Fprintln(stdout, "gatehoused", version)
	default:
		err = misuse(fmt.Sprintf("no command %q", command))
	}
	return complain(stderr, err)
}

// misuse is the error of a program that was called wrongly.
type misuse string

func (m misuse) Error() string { return string(m) }

// complain prints the error and returns the exit status.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "gatehoused: %v\n", err)
	if wrong := misuse(""); errors.As(err, &wrong) {
		fmt.Fprint(stderr, usage)
		return 2
	}
	return 1
}

// readLog runs a command that reads the log and nothing else, and returns its exit status; false: it is none of these.
func readLog(command string, args []string, stdout, stderr io.Writer) (status int, ok bool) {
	switch command {
	case "verify":
		status = lookAt("verify: want one file of the journal; gatehoused journal verify checks all of it", verify, args, stdout, stderr)
	case "journal":
		status = journalCommand(args, stdout, stderr)
	case "checkpoint":
		status = lookAt("checkpoint: want the directory of a journal", printCheckpoint, args, stdout, stderr)
	default:
		return 0, false
	}
	return status, true
}

// lookAt calls a command that looks at one path; it returns the exit status.
func lookAt(want misuse, command func(path string, stdout, stderr io.Writer) int, paths []string, stdout, stderr io.Writer) int {
	if len(paths) != 1 {
		return complain(stderr, want)
	}
	return command(paths[0], stdout, stderr)
}

// verify checks a file of the journal.
func verify(path string, stdout, _ io.Writer) int { return segment.VerifyMain(path, stdout) }

// printCheckpoint prints the newest checkpoint that both ends have signed.
func printCheckpoint(dir string, stdout, stderr io.Writer) int {
	note, err := hints.Cosigned(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s has no checkpoint that a registry has signed; name the directory journal in the state directory of a gateway that is enrolled", dir)
	}
	if err == nil {
		_, err = io.WriteString(stdout, note)
	}
	return complain(stderr, err)
}

func hardware() gateway.Hardware {
	return gateway.Hardware{Lines: gpio.OpenLines, Output: gpio.OpenOutput, Port: new(uart.Ports).Open}
}

// secure leaves every relay de-energised: for the service manager, on kernels that keep the level
// of a line whose holder died. Without a site file there is none.
func secure(config string) error {
	site, err := site.Load(config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return gateway.LeaveSafe(site, hardware())
}
