package journal

import (
	"fmt"
	"gatehouse/internal/journal/segment"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// childEnv makes the test binary be one of the programs that tests start.
const childEnv = "GATEHOUSE_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each child takes a second to end
		os.Exit(m.Run())
	case "verify":
		os.Exit(segment.VerifyMain(os.Args[len(os.Args)-1], os.Stderr))
	case "writer":
		childWriter()
	case "asked":
		childAsked()
	case "forgetter":
		childForgetter()
	case "image":
		childImage()
	case "survivor":
		os.Exit(childSurvivor())
	case "flips":
		childFlips()
	case "hello":
		fmt.Println("hello")
	}
}

// child returns a command that runs this test binary as one of its programs.
func child(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+program)
	return cmd
}

// need skips a test that lacks a part of the machine, unless the environment
// says that the part has to be there.
func need(t testing.TB, part string, there bool) {
	t.Helper()
	if there {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), part) {
		t.Fatalf("%s is required and not there", part)
	}
	t.Skipf("SKIP (needs %s): this machine does not have it", part)
}

// needChild skips where this binary can't start itself, as under an emulator.
func needChild(t testing.TB) {
	t.Helper()
	out, err := child(t, "hello").Output()
	need(t, "exec", err == nil && string(out) == "hello\n")
}

func TestVerifyByMeansWhatItSays(t *testing.T) {
	needChild(t)
	t.Setenv(childEnv, "verify")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkVerify(t, segment.VerifyBy(self))
}
