package storage

import (
	"errors"
	"io"
	"runtime"
	"sync"

	"weir/internal/json"
)

// Replay implements Storage.  Records are decoded on all cores, ahead of those
// being applied.  Where the file is damaged, or a record doesn't make sense, it
// applies what comes before and returns the error; what follows is cut off by
// the next Commit.
func (f *File) Replay(rows Lookup, apply func(*Txn) error) error {
	var bad *readRecord
	var err error
	if st, serr := f.log.file.Stat(); serr == nil && st.Size() < f.ahead {
		bad, err = f.replay(f.readOne, rows, apply)
	} else {
		bad, err = f.replayAhead(rows, apply)
	}
	if bad != nil {
		return f.refuse(bad, err)
	}
	return err
}

const (
	smallFile    = 256 << 10 // that isn't worth the trouble of more goroutines
	pieceSize    = 128 << 10 // of a record, that one goroutine decodes
	recordsAhead = 16
)

// replayAhead is replay for records that other goroutines read and decode.
func (f *File) replayAhead(rows Lookup, apply func(*Txn) error) (bad *readRecord, err error) {
	p := &pipeline{file: f, records: make(chan *readRecord, recordsAhead), stop: make(chan struct{})}
	work := make(chan decodeJob)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range work {
				j.piece.decode(j.record)
			}
		})
	}
	wg.Go(func() { p.read(work) })
	defer wg.Wait()
	defer close(p.stop)
	return f.replay(p.next, rows, apply)
}

// replay applies the records that next returns, up to a bad one.
func (f *File) replay(next func() (*readRecord, error), rows Lookup, apply func(*Txn) error) (bad *readRecord, err error) {
	for n := 0; ; n++ {
		r, err := next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		err = r.bad
		if err == nil {
			var txn *Txn
			if txn, err = r.txn(rows); err == nil {
				err = apply(txn)
			}
		}
		if err != nil {
			return r, err
		}
		if n == 0 {
			f.log.first = r.end
		}
	}
}

// refuse has a record and what follows it cut off by the next Commit.
func (f *File) refuse(r *readRecord, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		f.log.offset = r.start
		return f.log.fail(f.log.notJSON(r.data, r.start, err))
	}
	f.log.Unread(r.start)
	return err
}

// readOne reads and decodes the next record.
func (f *File) readOne() (*readRecord, error) {
	r, err := f.readRecord(1 << 30)
	if err == nil {
		for _, p := range r.pieces {
			p.decode(r)
		}
	}
	return r, err
}

// readRecord reads the next record and splits it.
func (f *File) readRecord(size int) (*readRecord, error) {
	data, err := f.log.next()
	if err != nil {
		return nil, err
	}
	r := &readRecord{schema: f.schema, data: data, start: f.log.prev, end: f.log.offset}
	r.bad = r.split(size)
	return r, nil
}

// pipeline reads records ahead of who applies them.
type pipeline struct {
	file    *File
	records chan *readRecord // in order; closed after the last one
	err     error            // why it is the last one, once records is closed
	stop    chan struct{}    // closed when no more are wanted
}

type decodeJob struct {
	record *readRecord
	piece  *piece
}

// read reads records and has their pieces decoded.
func (p *pipeline) read(work chan<- decodeJob) {
	defer close(p.records)
	defer close(work)
	for {
		var r *readRecord
		if r, p.err = p.file.readRecord(p.file.piece); p.err != nil {
			return
		}
		for _, piece := range r.pieces {
			piece.done = make(chan struct{})
		}
		select {
		case p.records <- r:
		case <-p.stop:
			return
		}
		for _, piece := range r.pieces {
			select {
			case work <- decodeJob{r, piece}:
			case <-p.stop:
				return
			}
		}
	}
}

// next returns the next record, whose pieces are being decoded.
func (p *pipeline) next() (*readRecord, error) {
	r, ok := <-p.records
	if !ok {
		return nil, p.err
	}
	return r, nil
}

// ReplayTolerant is Replay for a server: it logs the damage that it finds and
// goes on with what comes before it, so that a crash in the middle of a write
// keeps nobody from starting.
func (f *File) ReplayTolerant(rows Lookup, apply func(*Txn) error) {
	if err := f.Replay(rows, apply); err != nil {
		log.Warn("%v (what precedes it is kept, the rest will be cut off)", err)
	}
}
