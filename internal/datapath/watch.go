package datapath

import (
	"time"

	"weir/internal/flow"
)

// Sighting is a packet that passed through a data path, as it came in.
type Sighting struct {
	Frame []byte   // a copy; what is beyond MaxSighting bytes is left out
	Len   int      // of the whole packet
	Key   flow.Key // InPort is a data path port
	UFID  UFID     // of the flow that it met; zero: none
	At    time.Time
}

// MaxSighting is how much of a packet a Sighting has.
const MaxSighting = 2048

// Watch says which packets somebody wants to see.
type Watch struct {
	// Match is about the packets' keys, with data path ports.
	Match *flow.Match
	// Ports are those that packets come in by; nil is all.
	Ports map[PortNo]bool
	// Every is the least time between two sightings, which varies up to three times that:
	// what comes in between is not shown.
	Every time.Duration
	// C gets the sightings; those for which there is no room are lost. Packets
	// don't wait for it.
	C chan *Sighting
}

// Watcher is a Datapath that shows packets as they pass, without holding them
// up: not all of them, but some of every flow.
type Watcher interface {
	// Watch begins to show packets, until stop is called.
	Watch(w *Watch) (stop func())
}
