package multicall

import (
	"bytes"
	"encoding/binary"
	"os"
)

// atExecfn is the entry of the auxiliary vector that holds the address of the
// name the program was executed by (getauxval(3), AT_EXECFN).
const atExecfn = 31

// executedFile returns the name passed to execve(2), which is a link's own name
// where a link was executed; empty where /proc doesn't tell.
func executedFile() string {
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return ""
	}
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.NativeEndian.Uint64(auxv) == atExecfn {
			return stringAt(int64(binary.NativeEndian.Uint64(auxv[8:])))
		}
	}
	return ""
}

// stringAt reads the process's own memory up to the next zero byte.
func stringAt(address int64) string {
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return ""
	}
	defer mem.Close()
	buf := make([]byte, 4096)
	n, _ := mem.ReadAt(buf, address)
	if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
		return string(buf[:i])
	}
	return ""
}
