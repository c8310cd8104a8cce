// Package storage keeps databases in files: Open vSwitch's log format, in which
// a database is a sequence of records, each with its length and SHA-1, the first
// one a schema and each other one a transaction (ovsdb(5), "Standalone Format").
//
// Log is the file of records, File the database in it.  Storage is what the
// server needs of either a file or, later, a cluster.
package storage

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/vlog"
)

var log = vlog.For("ovsdb_log")

// The magic strings that begin every record's header: of standalone and of
// clustered databases.
const (
	Standalone = "JSON"
	Clustered  = "CLUSTER"
)

// Mode says what for a log is opened.
type Mode uint8

// The modes.
const (
	ReadOnly  Mode = iota // needs no lock
	ReadWrite             // takes the lock
	Create                // the file must not exist; takes the lock
)

// Log is a file of records.  One goroutine uses a Log at a time.
type Log struct {
	name    string // as messages have it
	path    string // symbolic links followed
	magic   string
	file    disk
	lock    *Lock
	mode    Mode
	r       *bufio.Reader // nil once the log is being written
	buf     []byte        // of Append
	offset  int64         // just after the last good record
	prev    int64         // just after the record before that
	first   int64         // size of what compaction left, see GrewLots
	torn    bool          // what follows offset is to be cut off
	unread  bool          // what follows is whole, but was taken for bad
	synced  int64         // what precedes it was on disk at the last Sync
	renamed bool          // the file's name is not known to be on disk
	err     error         // why nothing can be written any more
}

// disk is what a Log needs of an open file: a seam for tests that let disks fill
// up and fail.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

func ioError(cause error, format string, args ...any) *ovsdb.Error {
	e := ovsdb.Errorf(ovsdb.TagIO, format, args...)
	e.Details += " (" + errorText(cause) + ")"
	return e
}

// errorText is strerror's text of err.
func errorText(err error) string {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return "End of file"
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		text := errno.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

// OpenLog opens the log called name.  An empty magic means either kind.
func OpenLog(name, magic string, mode Mode) (*Log, error) {
	l := &Log{name: name, path: FollowLinks(name), magic: magic, mode: mode}
	if mode != ReadOnly {
		lock, err := LockFile(name)
		if err != nil {
			return nil, ioError(err, "%s: failed to lock lockfile", name)
		}
		l.lock = lock
	}
	if err := l.open(); err != nil {
		l.lock.Unlock()
		return nil, err
	}
	return l, nil
}

func (l *Log) open() error {
	if l.mode == Create {
		f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o660)
		if err != nil {
			return ioError(err, "%s: create failed", l.name)
		}
		l.file = f
		return nil
	}
	flags := os.O_RDONLY
	if l.mode == ReadWrite {
		flags = os.O_RDWR
	}
	f, err := os.OpenFile(l.path, flags, 0)
	if err != nil {
		return ioError(err, "%s: open failed", l.name)
	}
	l.file = f
	l.r = bufio.NewReaderSize(f, 1<<16)
	if err := l.checkMagic(); err != nil {
		_ = f.Close()
		return err
	}
	return nil
}

// checkMagic finds out what kind of log it is.
func (l *Log) checkMagic() error {
	head, err := l.r.Peek(len("OVSDB CLUSTER "))
	if err != nil && err != io.EOF {
		return ioError(err, "%s: read failed", l.name)
	}
	if len(head) == 0 {
		return ovsdb.Errorf(ovsdb.TagIO, "%s: file is empty: not a database (create one with \"ovsdb-tool create\")", l.name)
	}
	found := ""
	for _, magic := range []string{Standalone, Clustered} {
		if bytes.HasPrefix(head, []byte("OVSDB "+magic+" ")) {
			found = magic
		}
	}
	switch {
	case found == "":
		return ovsdb.Errorf(ovsdb.TagGeneric, "%s: unexpected file format", l.name)
	case l.magic == "":
		l.magic = found
	case l.magic != found:
		return ovsdb.Errorf(ovsdb.TagGeneric, "%s: unexpected file format (expected a %s database, found a %s one)", l.name, kindName(l.magic), kindName(found))
	}
	return nil
}

func kindName(magic string) string {
	if magic == Clustered {
		return "clustered"
	}
	return "standalone"
}

// Magic returns which kind of log it is: Standalone or Clustered.
func (l *Log) Magic() string { return l.magic }

// Name returns the name under which the log was opened.
func (l *Log) Name() string { return l.name }

// Offset returns the size of the records read and written up to now.
func (l *Log) Offset() int64 { return l.offset }

// Next returns the next record, checked against its SHA-1 and known to be JSON;
// io.EOF after the last one.  After any other error what was read before it is
// good, and Append cuts the rest off.
func (l *Log) Next() ([]byte, error) {
	data, err := l.next()
	if err != nil {
		return nil, err
	}
	if err := json.Valid(data); err != nil {
		l.offset = l.prev
		return nil, l.fail(l.notJSON(data, l.offset, err))
	}
	return data, nil
}

// notJSON is the error of a record that begins at offset and isn't JSON.
func (l *Log) notJSON(data []byte, offset int64, err error) error {
	at := offset + int64(len(appendHeader(nil, l.magic, len(data), ""))+2*sha1.Size)
	return ovsdb.Errorf(ovsdb.TagSyntax, "%s: %d bytes starting at offset %d are not valid JSON (%v)", l.name, len(data), at, err)
}

// next is Next for who checks by himself that the record is JSON.
func (l *Log) next() ([]byte, error) {
	if l.r == nil {
		return nil, io.EOF
	}
	line, err := l.r.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, io.EOF
	}
	length, sum, ok := parseHeader(line, l.magic)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, l.fail(ioError(err, "%s: read failed", l.name))
	}
	if !ok || err != nil {
		text := strings.TrimSuffix(string(line[:min(len(line), 128)]), "\n")
		return nil, l.fail(ovsdb.Errorf(ovsdb.TagSyntax, "%s: parse error at offset %d in header line \"%s\"", l.name, l.offset, text))
	}
	at := l.offset + int64(len(line))
	data, err := l.readN(at, length)
	if err != nil {
		return nil, l.fail(ioError(err, "%s: error reading %d bytes starting at offset %d", l.name, length, at))
	}
	if got := hexSum(data); got != sum {
		return nil, l.fail(ovsdb.Errorf(ovsdb.TagSyntax, "%s: %d bytes starting at offset %d have SHA-1 hash %s but should have hash %s", l.name, length, at, got, sum))
	}
	l.prev = l.offset
	l.offset = at + int64(length)
	return data, nil
}

// readN reads the n bytes from offset at on, which it doesn't believe to be
// there where the file is shorter.
func (l *Log) readN(at int64, n int) ([]byte, error) {
	if n > 1<<20 {
		st, err := l.file.Stat()
		if err != nil {
			return nil, err
		}
		if st.Size()-at < int64(n) {
			return nil, io.ErrUnexpectedEOF
		}
	}
	data := make([]byte, n)
	_, err := io.ReadFull(l.r, data)
	return data, err
}

func (l *Log) fail(err error) error {
	l.r = nil
	l.torn = true
	return err
}

// Unread takes the record that begins at offset for bad: it will be cut off with
// all that follows.
func (l *Log) Unread(offset int64) {
	l.offset = offset
	l.r = nil
	l.torn = true
	l.unread = true
}

// keepTail copies what is about to be cut off to a file beside the log, since
// whole records that only make no sense here may be worth something to somebody:
// to a newer version, say.
func (l *Log) keepTail() error {
	name := fmt.Sprintf("%s.cut-at-%d", l.path, l.offset)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return ioError(err, "%s: create failed", name)
	}
	_, err = io.Copy(f, io.NewSectionReader(l.file, l.offset, math.MaxInt64-l.offset))
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return ioError(err, "%s: write failed", name)
	}
	log.Warn("%s: the records from offset %d on are cut off and kept in %s", l.name, l.offset, name)
	return nil
}

// CreateLog makes a log with the given records, which are on disk then.
func CreateLog(name, magic string, records [][]byte) error {
	l, err := OpenLog(name, magic, Create)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err = l.Append(r); err != nil {
			break
		}
	}
	if err == nil {
		err = l.Sync()
	}
	if err == nil {
		err = syncDir(l.path)
	}
	if closing := l.Close(); err == nil {
		err = closing
	}
	return err
}

// Append writes records after the last good one, in one write.  They need not be
// on disk before Sync.  Where writing fails the file is put back to what it was.
func (l *Log) Append(records ...[]byte) error {
	if err := l.writable(); err != nil {
		return err
	}
	data := l.buf[:0]
	for _, r := range records {
		data = appendRecord(data, l.magic, r)
	}
	l.buf = reusable(data)
	if _, err := l.file.WriteAt(data, l.offset); err != nil {
		e := ioError(err, "%s: write failed", l.name)
		log.Warn("%s", e.Details)
		l.cut(l.offset)
		return e
	}
	l.prev = l.offset
	l.offset += int64(len(data))
	if l.first == 0 {
		l.first = l.offset
	}
	return nil
}

// reusable returns a buffer for the next time, unless it is worth more to others.
func reusable(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}

// cut makes the file end at size.
func (l *Log) cut(size int64) {
	if err := l.file.Truncate(size); err != nil {
		l.err = ioError(err, "%s: truncate failed", l.name)
	}
}

// writable makes the log ready to be written.
func (l *Log) writable() error {
	if l.err != nil {
		return l.err
	}
	if l.mode == ReadOnly {
		return ovsdb.Errorf(ovsdb.TagIO, "%s: write failed (opened for reading only)", l.name)
	}
	l.r = nil
	if !l.torn {
		return nil
	}
	if l.unread {
		if err := l.keepTail(); err != nil {
			return err
		}
		l.unread = false
	}
	if err := l.file.Truncate(l.offset); err != nil {
		return ioError(err, "%s: truncate failed", l.name)
	}
	l.torn = false
	return nil
}

// AppendDurably is Append and Sync.  Where the records don't get to the disk they
// are taken back, and since nobody knows what is on it then, the log takes no
// more.
func (l *Log) AppendDurably(records ...[]byte) error {
	start := l.offset
	if err := l.Append(records...); err != nil {
		return err
	}
	err := l.Sync()
	if err == nil {
		return nil
	}
	log.Err("%v (nothing is written any more)", err)
	l.cut(start)
	l.offset, l.err = start, err
	return err
}

// Sync waits until all that was appended is on disk.
func (l *Log) Sync() error {
	if err := l.file.Sync(); err != nil {
		return ioError(err, "%s: fsync failed", l.name)
	}
	if l.renamed {
		if err := syncDir(l.path); err != nil {
			return err
		}
		l.renamed = false
	}
	l.synced = l.offset
	return nil
}

// MarkBase says that what is in the log now is as compact as it gets.
func (l *Log) MarkBase() { l.first = l.offset }

// GrewLots reports whether the log is more than 10 MB and twice as large as when
// MarkBase was called, so that compacting is worth it.
func (l *Log) GrewLots() bool { return l.offset > 10<<20 && l.offset/2 > l.first }

// syncDir makes a file's name durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return ioError(err, "%s: open failed", filepath.Dir(path))
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return ioError(err, "%s: fsync failed", filepath.Dir(path))
	}
	return nil
}

// Close closes the file and releases the lock.
func (l *Log) Close() error {
	if l.renamed {
		_ = syncDir(l.path)
	}
	err := l.file.Close()
	l.lock.Unlock()
	return err
}
