package main

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// UDP ports: of the echo, and of the generator's packets.
const (
	echoPort = 7777
	sinkPort = 9
)

// udpSocket is a blocking UDP socket bound to a port of an address.
func udpSocket(addr [4]byte, port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrInet4{Addr: addr, Port: port})
}

// pin keeps this thread on one CPU. A round trip takes three times as long
// between CPUs as on one: where the scheduler puts the two ends must not decide.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// echoMain sends every datagram back until it is ended, on the last CPU.
func echoMain([]string) error {
	if err := pin(runtime.NumCPU() - 1); err != nil {
		return err
	}
	fd, err := udpSocket([4]byte{10, 99, 0, 2}, echoPort)
	if err != nil {
		return err
	}
	buf := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return err
		}
		if err := unix.Sendto(fd, buf[:n], 0, from); err != nil {
			return err
		}
	}
}

// pingMain sends datagrams one by one for a time, waiting for each to come
// back, and prints the median and the 99th percentile of the times in
// microseconds. It runs on the first CPU.
func pingMain(args []string) error {
	if err := pin(0); err != nil {
		return err
	}
	length, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	fd, err := udpSocket([4]byte{10, 99, 0, 1}, 0)
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Addr: [4]byte{10, 99, 0, 2}, Port: echoPort}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	buf := make([]byte, 64)
	var took []time.Duration
	lost := 0
	for end := time.Now().Add(length); time.Now().Before(end) && lost < 5; {
		start := time.Now()
		if err := unix.Sendto(fd, buf, 0, to); err != nil {
			return err
		}
		if _, _, err := unix.Recvfrom(fd, buf, 0); err != nil {
			lost++
			continue
		}
		took = append(took, time.Since(start))
	}
	if len(took) < 100 {
		return fmt.Errorf("only %d answers", len(took))
	}
	slices.Sort(took)
	micros := func(q float64) string {
		return strconv.FormatFloat(float64(took[int(q*float64(len(took)))].Nanoseconds())/1e3, 'f', 1, 64)
	}
	fmt.Println(micros(0.5), micros(0.99))
	return nil
}
