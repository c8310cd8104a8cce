package json

import (
	"bytes"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// BenchmarkJSONText is BenchmarkScanner by the library that the scanner was
// measured against; see docs/performance.md.
func BenchmarkJSONText(b *testing.B) {
	b.SetBytes(int64(len(benchText)))
	b.ReportAllocs()
	r := bytes.NewReader(benchText)
	d := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true))
	for b.Loop() {
		r.Reset(benchText)
		d.Reset(r, jsontext.AllowDuplicateNames(true))
		for {
			if _, err := d.ReadToken(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
