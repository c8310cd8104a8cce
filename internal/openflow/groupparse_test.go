package openflow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBucketNumbers(t *testing.T) {
	for _, tc := range []struct {
		have, want []uint32
	}{
		{[]uint32{BucketAll, BucketAll, BucketAll}, []uint32{0, 1, 2}},
		{[]uint32{BucketAll, 0, 1}, []uint32{2, 0, 1}},
		{[]uint32{BucketAll, 5, BucketAll}, []uint32{0, 5, 1}},
		{nil, nil},
	} {
		var buckets []Bucket
		for _, id := range tc.have {
			buckets = append(buckets, Bucket{ID: id})
		}
		numberBuckets(buckets)
		var got []uint32
		for _, b := range buckets {
			got = append(got, b.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%v: %s", tc.have, diff)
		}
	}
}
