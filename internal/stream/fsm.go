package stream

import (
	"time"
)

// State is where an FSM stands. Its String is what the "state" key of a
// Manager's status column shows.
type State uint8

// The states.
const (
	Void       State = iota // disabled
	Backoff                 // waiting before the next attempt
	Connecting              // an attempt is under way
	Active                  // connected, heard from the peer lately
	Idle                    // connected, a probe is unanswered
	Reconnect               // about to drop the connection and start again
	Listening               // waiting for the peer to connect
)

// String returns the name as Open vSwitch shows it.
func (s State) String() string {
	return [...]string{"VOID", "BACKOFF", "CONNECTING", "ACTIVE", "IDLE", "RECONNECT", "LISTENING"}[s]
}

// Action is what the owner of an FSM must do next.
type Action uint8

// The actions.
const (
	None       Action = iota
	Connect           // start to connect (or listen, when passive)
	Disconnect        // drop the connection or attempt
	Probe             // send something that the peer must answer
)

// Defaults of an FSM.
const (
	MinBackoff    = time.Second
	MaxBackoff    = 8 * time.Second
	ProbeInterval = 5 * time.Second
)

// A Run that comes later than stall after it was due says that we stood still:
// stopped, or without a processor. What the peer sent meanwhile has not been read
// yet, so that its silence is judged only after the grace.
const (
	stall = time.Second
	grace = time.Second
)

// Logger receives the FSM's messages; *vlog.Module is one.
type Logger interface {
	Info(format string, args ...any)
	Warn(format string, args ...any)
	Err(format string, args ...any)
	Dbg(format string, args ...any)
}

// FSM decides when a connection is attempted, probed and given up. It holds no
// socket and reads no clock: the owner reports events with the time they came
// and obeys Run. One goroutine at a time may use an FSM.
type FSM struct {
	Name       string        // in messages
	Passive    bool          // waits for the peer rather than connecting
	Quiet      bool          // messages at debug level
	MinWait    time.Duration // first wait between attempts
	MaxWait    time.Duration // longest wait between attempts
	ProbeAfter time.Duration // idle time before a probe; 0 is never
	MaxTries   int           // attempts left; negative is unlimited
	FreeTries  int           // failures that aren't followed by a wait, as for other remotes to be tried

	log           Logger
	state         State
	entered       time.Time // when state was entered
	reprieve      time.Time // the peer's silence isn't judged before; zero for none
	backoff       time.Duration
	lastActivity  time.Time
	connectedAt   time.Time // last time connected, zero when never
	disconnected  time.Time // last time disconnected, zero when never
	attempts      uint
	successes     uint
	totalConnect  time.Duration
	lastError     string
	seqno         uint
	backoffLogged uint
}

// NewFSM returns a disabled FSM with the default intervals.
func NewFSM(name string, now time.Time, log Logger) *FSM {
	return &FSM{Name: name, MinWait: MinBackoff, MaxWait: MaxBackoff, ProbeAfter: ProbeInterval, MaxTries: -1,
		log: log, entered: now, lastActivity: now}
}

// State returns the current state.
func (f *FSM) State() State { return f.state }

// IsConnected reports whether the connection is up.
func (f *FSM) IsConnected() bool { return f.state == Active || f.state == Idle }

// LastError returns the text of the last failure, "" when there was none.
func (f *FSM) LastError() string { return f.lastError }

// Since returns how long ago the last connection came up and went down; ok is
// false where that never happened.
func (f *FSM) Since(now time.Time) (connected, disconnected time.Duration, everConnected, everDisconnected bool) {
	return now.Sub(f.connectedAt), now.Sub(f.disconnected), !f.connectedAt.IsZero(), !f.disconnected.IsZero()
}

// Enable starts connecting, unless that is under way already.
func (f *FSM) Enable(now time.Time) {
	if f.state == Void {
		f.enter(Backoff, now)
		f.backoff = 0
	}
}

// Disable stops everything.
func (f *FSM) Disable(now time.Time) {
	if f.state != Void {
		f.enter(Void, now)
	}
}

// ForceReconnect drops a connection or an attempt and starts again.
func (f *FSM) ForceReconnect(now time.Time) {
	switch f.state {
	case Connecting, Active, Idle:
		f.enter(Reconnect, now)
	}
}

// Connecting reports that an attempt is under way.
func (f *FSM) Connecting(now time.Time) {
	if f.state != Connecting {
		f.info("%s: connecting...", f.Name)
		f.enter(Connecting, now)
	}
}

// Listening reports that a passive method waits for the peer.
func (f *FSM) Listening(now time.Time) {
	if f.state != Listening {
		f.info("%s: listening...", f.Name)
		f.enter(Listening, now)
	}
}

// ListenError reports that listening failed.
func (f *FSM) ListenError(now time.Time, why string) { f.Disconnected(now, why) }

// Connected reports that the connection is up.
func (f *FSM) Connected(now time.Time) {
	if f.IsConnected() {
		return
	}
	f.Connecting(now)
	f.info("%s: connected", f.Name)
	f.enter(Active, now)
	f.successes++
	f.connectedAt = now
	f.lastActivity = now
}

// ConnectFailed reports that an attempt failed.
func (f *FSM) ConnectFailed(now time.Time, why string) {
	f.Connecting(now)
	f.Disconnected(now, why)
}

// Disconnected reports that the connection dropped, an attempt or listening
// failed. An empty why says that the peer closed the connection.
func (f *FSM) Disconnected(now time.Time, why string) {
	if f.state == Backoff || f.state == Void {
		return
	}
	f.logDisconnect(why)
	f.lastError = why
	if f.IsConnected() || f.state == Reconnect {
		f.disconnected = now
		f.totalConnect += now.Sub(f.connectedAt)
	}
	if !f.mayRetry() {
		f.enter(Void, now)
		return
	}
	switch {
	case f.FreeTries > 0:
		f.FreeTries--
		f.backoff = 0
	case f.Passive:
		f.backoff = f.MinWait
	case f.IsConnected() && f.lastActivity.Sub(f.connectedAt) >= f.backoff && f.backoff > 0, f.backoff < f.MinWait:
		f.backoff = min(f.MinWait, f.MaxWait)
	case f.backoff < f.MaxWait/2:
		f.backoff = max(f.MinWait, 2*f.backoff)
	default:
		if f.backoff < f.MaxWait {
			f.backoff = f.MaxWait
		}
		f.backoffLogged++
	}
	if f.backoff > 0 && f.backoffLogged <= 1 {
		verb := "reconnect"
		if f.Passive {
			verb = "trying to listen again"
		}
		f.info("%s: waiting %.3g seconds before %s", f.Name, f.backoff.Seconds(), verb)
		if f.backoffLogged == 1 {
			f.info("%s: continuing to %s in the background but suppressing further logging", f.Name, verb)
		}
	}
	f.enter(Backoff, now)
}

func (f *FSM) logDisconnect(why string) {
	switch {
	case f.IsConnected() && why != "":
		f.warn("%s: connection dropped (%s)", f.Name, why)
	case f.IsConnected():
		f.info("%s: connection closed by peer", f.Name)
	case f.state == Reconnect:
	case f.state == Listening && why != "":
		f.info("%s: error listening for connections (%s)", f.Name, why)
	case f.state == Listening:
		f.info("%s: error listening for connections", f.Name)
	case f.backoffLogged <= 1 && why != "":
		f.info("%s: connection attempt failed (%s)", f.Name, why)
	case f.backoffLogged <= 1:
		f.info("%s: connection attempt timed out", f.Name)
	}
}

func (f *FSM) mayRetry() bool {
	if f.MaxTries < 0 {
		return true
	}
	if f.MaxTries == 0 {
		return false
	}
	f.MaxTries--
	return true
}

// Activity reports that something arrived from the peer.
func (f *FSM) Activity(now time.Time) {
	if f.state == Idle {
		f.enter(Active, now)
	}
	f.lastActivity = now
}

func (f *FSM) enter(s State, now time.Time) {
	if f.state == s {
		return
	}
	if (s == Active) != (f.state == Active) && !(s == Idle || f.state == Idle) {
		f.seqno++
	}
	if s == Active {
		f.backoffLogged = 0
	}
	if s == Connecting {
		f.attempts++
	}
	if f.log != nil {
		f.log.Dbg("%s: entering %s", f.Name, s)
	}
	f.state, f.entered, f.reprieve = s, now, time.Time{}
}

// deadline returns when the state needs attention; ok is false when never.
func (f *FSM) deadline() (at time.Time, ok bool) {
	if !f.reprieve.IsZero() {
		return f.reprieve, true
	}
	switch f.state {
	case Backoff:
		return f.entered.Add(f.backoff), true
	case Connecting:
		return f.entered.Add(max(time.Second, f.backoff)), true
	case Active:
		if f.ProbeAfter > 0 {
			base := f.lastActivity
			if f.entered.After(base) {
				base = f.entered
			}
			return base.Add(f.ProbeAfter), true
		}
	case Idle:
		if f.ProbeAfter > 0 {
			return f.entered.Add(f.ProbeAfter), true
		}
	case Reconnect:
		return f.entered, true
	}
	return time.Time{}, false
}

// Wait returns how long from now Run has nothing to say; ok is false when only
// an event can change that.
func (f *FSM) Wait(now time.Time) (d time.Duration, ok bool) {
	at, ok := f.deadline()
	return max(0, at.Sub(now)), ok
}

// Run returns what is due now.
func (f *FSM) Run(now time.Time) Action {
	at, ok := f.deadline()
	if !ok || now.Before(at) {
		return None
	}
	if late := now.Sub(at); late > stall && (f.state == Idle || f.state == Connecting) {
		f.debug("%s: looking %d ms late; giving the peer %d ms more", f.Name, late.Milliseconds(), grace.Milliseconds())
		f.reprieve = now.Add(grace)
		return None
	}
	switch f.state {
	case Backoff:
		return Connect
	case Active:
		f.debug("%s: idle %d ms, sending inactivity probe", f.Name, now.Sub(f.lastActivity).Milliseconds())
		f.enter(Idle, now)
		return Probe
	case Idle:
		f.errorf("%s: no response to inactivity probe after %.3g seconds, disconnecting", f.Name, now.Sub(f.entered).Seconds())
		return Disconnect
	}
	return Disconnect
}

func (f *FSM) info(format string, args ...any) {
	switch {
	case f.log == nil:
	case f.Quiet:
		f.log.Dbg(format, args...)
	default:
		f.log.Info(format, args...)
	}
}

func (f *FSM) debug(format string, args ...any) {
	if f.log != nil {
		f.log.Dbg(format, args...)
	}
}

func (f *FSM) warn(format string, args ...any) {
	if f.log != nil {
		f.log.Warn(format, args...)
	}
}

func (f *FSM) errorf(format string, args ...any) {
	if f.log != nil {
		f.log.Err(format, args...)
	}
}

// Silence is how long nothing has arrived from a peer that isn't connected:
// since its last message, or since the FSM was made. It is 0 while connected.
func (f *FSM) Silence(now time.Time) time.Duration {
	if f.IsConnected() {
		return 0
	}
	return now.Sub(f.lastActivity)
}
