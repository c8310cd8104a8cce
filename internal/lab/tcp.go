package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// patience is how long a machine may take to connect, or to deliver what was sent.
const patience = 20 * time.Second

// arrived is what the receiving end of a TCP stream saw.
type arrived struct {
	bytes   int64
	elapsed time.Duration
	err     error
}

// MeasureTCP sends one TCP stream from one namespace to an address in another
// for the given time, and returns the bits per second that arrived.
func MeasureTCP(ctx context.Context, from, to, addr string, d time.Duration) (float64, error) {
	var listener net.Listener
	err := Within(to, func() (err error) {
		listener, err = net.Listen("tcp4", addr+":0")
		return err
	})
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	done := make(chan arrived, 1)
	go func() { done <- receive(listener) }()

	var conn net.Conn
	err = Within(from, func() (err error) {
		conn, err = net.DialTimeout("tcp4", listener.Addr().String(), patience)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	// A stream that stands still must not hang the demonstration.
	if err := conn.SetDeadline(time.Now().Add(d + patience)); err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<18)
	// Once at least, should the machine stand still meanwhile.
	for end, more := time.Now().Add(d), true; more; more = time.Now().Before(end) {
		if _, err := conn.Write(buf); err != nil {
			return 0, err
		}
	}
	conn.Close()
	select {
	case r := <-done:
		return float64(r.bytes) * 8 / r.elapsed.Seconds(), r.err
	case <-time.After(patience):
		return 0, fmt.Errorf("the end of the stream to %s did not arrive within %v", addr, patience)
	}
}

// receive takes one connection and reads it to its end.
func receive(l net.Listener) arrived {
	conn, err := l.Accept()
	if err != nil {
		return arrived{err: err}
	}
	defer conn.Close()
	start := time.Now()
	buf := make([]byte, 1<<18)
	var total int64
	for {
		n, err := conn.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return arrived{total, time.Since(start), nil}
		}
		if err != nil {
			return arrived{total, time.Since(start), err}
		}
	}
}
