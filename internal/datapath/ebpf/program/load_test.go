package program

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// endless are instructions that the verifier follows round by round, to its
// limit of a million.
func endless() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 0),
		asm.Add.Imm(asm.R1, 1).WithSymbol("again"),
		asm.JLT.Imm(asm.R1, 10_000_000, "again"),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("loading eBPF programs needs root")
	}
}

// TestVerifierLimit ends the verifier in the middle of a program that keeps it
// busy for much longer, and loads another thereafter.
func TestVerifierLimit(t *testing.T) {
	needRoot(t)
	start := time.Now()
	p, err := load("weir_test", endless(), 10*time.Millisecond)
	if !errors.Is(err, ErrVerifier) {
		t.Errorf("the error is %v after %v, want ErrVerifier", err, time.Since(start))
	}
	if p != nil {
		t.Error("there is a program all the same")
	}
	start = time.Now()
	if _, err := load("weir_test", endless(), time.Minute); !errors.Is(err, unix.E2BIG) {
		t.Errorf("without a limit the error is %v, want that of a program that is too complex", err)
	}
	t.Logf("without a limit: %v", time.Since(start))
	p, err = load("weir_test", asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefusedProgram wants the verifier's own words in the error.
func TestRefusedProgram(t *testing.T) {
	needRoot(t)
	_, err := load("weir_test", asm.Instructions{asm.Mov.Reg(asm.R0, asm.R5), asm.Return()}, time.Minute)
	if !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "R5 !read_ok") {
		t.Errorf("the error is %v, want the verifier's reason", err)
	}
}
