package daemon

import (
	"os"
	"sync"
	"unsafe"
)

// argvSpace is the memory in which the kernel looks for the command line, and the
// mutex that owns it.
var argvSpace struct {
	sync.Mutex
	taken bool
	mem   []byte
}

// setTitle replaces the command line that ps(1) shows. The kernel reads it from
// where execve(2) laid the arguments down, and os.Args refers to that very memory;
// so the arguments are copied first. A title too long is cut.
func setTitle(title string) {
	argvSpace.Lock()
	defer argvSpace.Unlock()
	if !argvSpace.taken {
		argvSpace.taken = true
		argvSpace.mem = takeArgv()
	}
	mem := argvSpace.mem
	if len(mem) < 2 {
		return
	}
	clear(mem)
	copy(mem[:len(mem)-1], title)
}

func takeArgv() []byte {
	if len(os.Args) == 0 || len(os.Args[0]) == 0 {
		return nil
	}
	first := unsafe.Pointer(unsafe.StringData(os.Args[0]))
	size := 0
	copied := make([]string, len(os.Args))
	for i, arg := range os.Args {
		if len(arg) > 0 && unsafe.Pointer(unsafe.StringData(arg)) != unsafe.Add(first, size) {
			return nil // not the kernel's contiguous block: leave it alone
		}
		size += len(arg) + 1
		copied[i] = string([]byte(arg))
	}
	os.Args = copied
	return unsafe.Slice((*byte)(first), size)
}
