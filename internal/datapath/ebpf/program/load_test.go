package program

import (
	"errors"
	"fmt"
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
	if _, err := load("weir_test", endless(), time.Hour); !errors.Is(err, unix.E2BIG) {
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

// TestReason has logs of Linux 6.18 and 7.3 on one program, and one without any
// instruction.
func TestReason(t *testing.T) {
	for _, c := range []struct{ log, want string }{
		{"0: R1=ctx() R10=fp0\n0: (bf) r0 = r5\nR5 !read_ok\nprocessed 1 insns\n", "0: (bf) r0 = r5: R5 !read_ok: processed 1 insns"},
		{"0: R1=ctx() R10=fp0\n0: (bf) r0 = r5\nR5 !read_ok\n\nVerification failed: Register Type Safety: Unreadable register\n\n" +
			"At:\n  >>> 0 | (bf) r0 = r5\n\nprocessed 1 insns\n\n", "0: (bf) r0 = r5: R5 !read_ok"},
		{"1: (07) r1 += 1\n2: (a5) if r1 < 0x989680 goto pc-2    ; R1=0x7a11f\n1: (07) r1 += 1\nBPF program is too large. Processed 1000001 insn\n",
			"1: (07) r1 += 1: BPF program is too large. Processed 1000001 insn"},
		{"unreachable insn 1\n", "unreachable insn 1"},
		{"", ""},
	} {
		if got := reason(c.log); got != c.want {
			t.Errorf("reason(%q) = %q, want %q", c.log, got, c.want)
		}
	}
}

// loaded is a program, and how to assemble it for a Set with many masks.
type loaded struct {
	name     string
	assemble func(*Set) asm.Instructions
}

// allLoaded are all programs: main, which changes with the masks, by their number,
// and those that stay.
func allLoaded() []loaded {
	programs := []loaded{
		{"entry", func(s *Set) asm.Instructions { return s.assembleEntry(1, 0) }},
		{"deep", (*Set).assembleDeep},
		{"actions", (*Set).assembleActions},
		{"hash", (*Set).assembleHash},
		{"upcall", (*Set).assembleUpcall},
	}
	for _, n := range []int{1, 4, 16, 64, 128} {
		programs = append(programs, loaded{fmt.Sprintf("main/masks=%d", n), func(s *Set) asm.Instructions { return s.assembleMain(s.flows.ranked()[:n]) }})
	}
	return programs
}

// verify loads a program and returns how many instructions the verifier followed.
func verify(t testing.TB, s *Set, insns asm.Instructions) int {
	prog, err := s.program("test", insns)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := info.VerifiedInstructions()
	if !ok {
		t.Skip("the kernel does not say what its verifier did")
	}
	return int(n)
}

// TestVerifierEffort wants programs that the verifier is soon done with, whichever
// release it is of: its limit is a million instructions, and what one release just
// about manages, the next may not.
func TestVerifierEffort(t *testing.T) {
	s, _, _ := benchSet(t, 128)
	for _, p := range allLoaded() {
		t.Run(p.name, func(t *testing.T) {
			insns := p.assemble(s)
			start := time.Now()
			n := verify(t, s, insns)
			t.Logf("%d instructions, %d verified, in %v", len(insns), n, time.Since(start))
			if limit := max(10_000, 5*len(insns)); n > limit {
				t.Errorf("the verifier followed %d instructions of a program of %d, more than %d", n, len(insns), limit)
			}
		})
	}
}

// BenchmarkLoad is what loading a program costs, assembling apart.
func BenchmarkLoad(b *testing.B) {
	for _, p := range allLoaded() {
		b.Run(p.name, func(b *testing.B) {
			s, _, _ := benchSet(b, 128)
			insns, verified := p.assemble(s), 0
			for b.Loop() {
				verified = verify(b, s, insns)
			}
			b.ReportMetric(float64(len(insns)), "insns")
			b.ReportMetric(float64(verified), "verified")
		})
	}
}
