package vlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/internal/paths"
)

const abort = syscall.SIGABRT

var log = For("vlog")

// output is where the process's messages go. Its mutex owns all of it, and is
// held while a line is written, so that lines never mix.
type output struct {
	mu         sync.Mutex
	program    string
	subprogram string
	patterns   [numDests]string
	facility   int // -1 until set
	console    io.Writer
	file       *os.File
	fileName   string
	syslog     syslogger
}

var out = &output{
	program:  filepath.Base(os.Args[0]),
	patterns: [numDests]string{syslogPattern, consolePattern, filePattern},
	facility: -1,
	console:  os.Stderr,
}

// SetProgram names the program in log lines and in the default log file's name.
func SetProgram(name string) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.program = name
}

// SetSubprogram names the process's part in the program, such as "monitor"; the
// main process has none.
func SetSubprogram(name string) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.subprogram = name
}

func (o *output) write(m *Module, l Level, message string) {
	t := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	r := record{
		time: t, seq: seq.Add(1), module: m.name, level: l, message: strings.TrimRight(message, "\n"),
		facility: o.facility, program: o.program, subprogram: o.subprogram,
	}
	if l <= m.Level(Console) {
		_, _ = io.WriteString(o.console, r.format(o.patterns[Console])+"\n")
	}
	if l <= m.Level(Syslog) {
		o.syslog.write(r, o.patterns[Syslog])
	}
	if o.file != nil && l <= m.Level(File) {
		_, _ = o.file.WriteString(r.format(o.patterns[File]) + "\n")
	}
}

// SetLogFile opens the log file and logs to it from then on. An empty name means
// the default, LOGDIR/PROGRAM.log; a relative name lies in the log directory. The
// error is also logged.
func SetLogFile(name string) error {
	name = FileName(name)
	f, err := openLog(name)
	if err != nil {
		log.Warn("failed to open %s for logging: %s", name, ErrText(err))
		return fmt.Errorf("failed to open %s for logging: %w", name, err)
	}
	out.mu.Lock()
	if out.file != nil {
		out.file.Close()
	}
	out.file, out.fileName = f, name
	out.mu.Unlock()
	updateAll()
	log.Info("opened log file %s", name)
	return nil
}

// FileName returns the full name of the log file that --log-file=NAME means.
func FileName(name string) string {
	out.mu.Lock()
	defer out.mu.Unlock()
	if name == "" {
		name = out.program + ".log"
	}
	return paths.InLogDir(name)
}

// OpenQuietly is SetLogFile without a message, for a process that opens the log
// only to write what it has to say.
func OpenQuietly(name string) error {
	f, err := openLog(name)
	if err != nil {
		return err
	}
	CloseFile()
	out.mu.Lock()
	out.file, out.fileName = f, name
	out.mu.Unlock()
	updateAll()
	return nil
}

// LogFile returns the log file's name, or an empty string where none was asked
// for.
func LogFile() string {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.fileName
}

func openLog(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o660)
}

// Reopen closes the log file and opens it anew, so that rotation takes effect.
// Without a log file it does nothing.
func Reopen() error {
	name := LogFile()
	if name == "" {
		return nil
	}
	wasOpen := CloseFile()
	if wasOpen {
		log.Info("closing log file")
	}
	return SetLogFile(name)
}

// CloseFile closes the log file, if open, and says whether it was. Reopen opens
// it again.
func CloseFile() bool {
	out.mu.Lock()
	defer updateAll()
	defer out.mu.Unlock()
	if out.file == nil {
		return false
	}
	out.file.Close()
	out.file = nil
	return true
}

// FileOpen says whether messages go to a log file now.
func FileOpen() bool {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.file != nil
}

// ErrText is the text of the system error inside err, as strerror(3) gives it.
func ErrText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return Strerror(errno)
	}
	return err.Error()
}

// Strerror returns the text that the C library's strerror(3) gives for errno:
// Go's own with a capital first letter. Messages that users know carry it.
func Strerror(errno syscall.Errno) string {
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
