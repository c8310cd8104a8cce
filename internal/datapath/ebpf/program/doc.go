// Package program is the kernel's half of the eBPF data path: programs that are
// assembled in Go at run time for exactly the masks in use, the shared memory
// in which they find flows, actions, ports and meters, and the user-space
// writer of that memory.
//
// # Programs
//
//	entry    one a port and direction, a few instructions: notes the port's number
//	         in the packet's control block and jumps to main. Attached at TCX ingress
//	         of an ordinary port, at TCX egress of an internal port (what the host
//	         sends into the switch).
//	main     parses, finds the flow, counts, and either outputs to one port itself
//	         or jumps to actions. Generated anew whenever the set of masks changes:
//	         it extracts only what some mask looks at. One update of the program
//	         array replaces it under all ports at once.
//	actions  interprets a compact list of actions.
//	hash     computes dp_hash and goes back to actions.
//	upcall   attached at TCX egress of the devices that carry packets to user space
//	         (taps with a virtio_net header): puts an [Upcall] header in front of
//	         the frame.
//
// # Memory
//
// Every region is a BPF array of one element that user space maps: programs
// address it directly, without a helper call, and user space reads and writes
// it without a system call. A flow is installed by writing its entry and then
// one word of a bucket; statistics are read in place.
//
//	header    version and dimensions, the hash's seed; what adoption checks
//	buckets   a hash table of 8-byte slots, tag and place of the entry
//	entries   masked key, UFID, action; variable size, in units of 32 bytes
//	codes     action lists: compiled operations and the text they were made from
//	masks     mask number -> flow.Mask; read only by user space
//	stats     CPU, flow -> packets, bytes, used, TCP flags
//	ports     port number -> where output goes
//	portstats CPU, port -> what redirection to a peer hid from the device
//	meters    token buckets
//	hints     hash of a key -> mask to try first
//	counters  CPU -> hits, misses, what was lost
//	scratch   CPU -> the Upcall header of the packet in hand
//
// A [flow.Key]'s words from flow.FirstDatapathWord on are the key, verbatim: a
// masked key in an entry is the words that its mask looks at, in order.
//
// # Use
//
//	set, err := New(Config{...})         // or Open(dir, ...) to adopt what is pinned
//	set.Pin(dir); set.Close()            // programs and memory outlive the process
//	prog, err := set.Entry(port, Ingress) // attach at the device; an Egress one for internal ports
//	set.Upcall()                         // attach at TCX egress of every upcall device
//	set.SetPort(no, Port{...})
//	code, slow := set.Compile(key, mask, actions) // slow: why user space must help, else nil
//	ref, err := set.Put(key, mask, ufid, code)    // typed errors: ErrFull, ErrMatch, ErrMasks
//	set.Commit()                         // after a batch of puts: a new main if the masks changed
//	set.SetCode(ref, code); set.Delete(ref); set.Stats(ref); set.ZeroStats(ref)
//	set.Walk(yield)                      // every flow with key, mask, UFID, actions: adoption
//	set.Code(id)                         // the actions that an upcall names
//	set.Reclaim()                        // waits for the programs, frees what was removed
//
// # Concurrency
//
// One goroutine at a time writes ([Set] is not safe for concurrent use, but for
// what says so). Programs see a flow by the store to its slot, which comes
// last, and reach entry and code only through addresses loaded before. What was
// removed is used again only after every program that could still see it has
// ended ([Set.Reclaim]).
//
// A false miss is possible while entries move, and harmless: the packet goes to
// user space, which knows the flow.
package program
