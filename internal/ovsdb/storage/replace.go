package storage

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// Replacement is a new log that is to take the place of a Log's file, so that
// after a crash either the old or the new one is there. It is written beside
// the Log, to which records may be appended meanwhile: these follow in the
// replacement. Add and CatchUp may run while the Log is in use; who calls Finish
// uses the Log too.
type Replacement struct {
	log  *Log
	path string
	file *os.File
	size int64
	from int64 // what follows in the old log is to be copied
	old  disk  // the replaced file, once Finish has taken its place
}

// Replace begins a replacement for all that is in the log now.
func (l *Log) Replace() (*Replacement, error) {
	if l.err != nil {
		return nil, l.err
	}
	r := &Replacement{log: l, path: l.path + ".tmp", from: l.offset}
	if err := os.Remove(r.path); err != nil && !os.IsNotExist(err) {
		return nil, ioError(err, "failed to remove %s", r.path)
	}
	mode := os.FileMode(0o660)
	if st, err := l.file.Stat(); err == nil {
		mode = st.Mode().Perm()
	}
	var err error
	if r.file, err = os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode); err != nil {
		return nil, ioError(err, "%s: create failed", r.path)
	}
	return r, nil
}

// Add appends a record that print prints, the same each time: it is called
// twice, since a record's length and hash come before it.
func (r *Replacement) Add(print func(io.Writer) error) error {
	n, err := addRecord(r.file, r.size, r.log.magic, print)
	r.size += n
	if err != nil {
		return ioError(err, "%s: write failed", r.path)
	}
	return nil
}

// measure counts and hashes what is written to it.
type measure struct {
	sum hash.Hash
	n   int
}

func (m *measure) Write(p []byte) (int, error) {
	m.n += len(p)
	return m.sum.Write(p)
}

var newline = []byte{'\n'}

// addRecord writes a record at an offset of a file and returns its size there.
func addRecord(f io.WriterAt, at int64, magic string, print func(io.Writer) error) (int64, error) {
	m := &measure{sum: sha1.New()}
	if err := print(m); err != nil {
		return 0, err
	}
	_, _ = m.Write(newline)
	header := appendHeader(nil, magic, m.n, hex.EncodeToString(m.sum.Sum(nil)))
	w := bufio.NewWriterSize(io.NewOffsetWriter(f, at), 1<<18)
	_, err := w.Write(header)
	if err == nil {
		err = print(w)
	}
	if err == nil {
		_, err = w.Write(newline)
	}
	if err == nil {
		err = w.Flush()
	}
	return int64(len(header) + m.n), err
}

// CatchUp copies what has been appended to the old log up to the given offset,
// and waits until all is on disk, so that little is left to do for Finish.
func (r *Replacement) CatchUp(offset int64) error {
	err := r.copyTo(offset)
	if err == nil {
		err = r.file.Sync()
	}
	if err != nil {
		return ioError(err, "%s: write failed", r.path)
	}
	return nil
}

// copyTo copies what has been appended to the old log up to the given offset.
func (r *Replacement) copyTo(offset int64) error {
	n, err := io.Copy(io.NewOffsetWriter(r.file, r.size), io.NewSectionReader(r.log.file, r.from, offset-r.from))
	r.size += n
	r.from += n
	return err
}

// Finish puts the replacement, which has caught up before, in the log's place.
// After an error the log is what it was. Since others wait meanwhile, it waits
// for the disk only where something that was durable has to be so again.
func (r *Replacement) Finish() error {
	l := r.log
	durable := l.synced > r.from
	err := r.copyTo(l.offset)
	if err == nil && durable {
		err = r.file.Sync()
	}
	if err == nil {
		err = os.Rename(r.path, l.path)
	}
	if err != nil {
		r.Abandon()
		return ioError(err, "%s: failed to replace it by its compacted version", l.name)
	}
	r.old = l.file
	l.file, l.r, l.torn, l.unread = r.file, nil, false, false
	l.offset, l.prev, l.first = r.size, r.size, r.size
	l.synced, l.renamed = 0, true
	return nil
}

// Release closes the file that Finish has replaced, which nobody uses any more: a
// large one takes the system a while, and so a Log's user shouldn't wait for it.
func (r *Replacement) Release() { _ = r.old.Close() }

// Abandon gives the replacement up.
func (r *Replacement) Abandon() {
	_ = r.file.Close()
	_ = os.Remove(r.path)
}
