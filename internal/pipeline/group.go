package pipeline

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"weir/internal/openflow"
	"weir/internal/vlog"
)

var log = vlog.For("ofproto_dpif")

// MaxGroups is the limit of groups per type (OFPMP_GROUP_FEATURES).
const MaxGroups = 0xffffff00

// Group is a group of the group table (OpenFlow 1.5.1, 5.10). Immutable but
// for the counters; a modified group is another Group.
type Group struct {
	ID       uint32
	Type     openflow.GroupType
	Buckets  []*Bucket
	Props    openflow.GroupProps
	Created  time.Time
	Modified time.Time
	Stats    *Stats

	slots []uint8
}

// Slots maps the low bits of a packet's hash to buckets, in proportion to
// their weights; its length is a power of two, or 0 when no bucket has a
// weight.
func (g *Group) Slots() []uint8 { return g.slots }

// maxSlots bounds the table of a group. One whose weights are too far apart for
// it has none.
const maxSlots = 256

// wantsSlots reports whether packets are to find their buckets in the table, as the
// selection method dp_hash has it, or none; the log tells why not.
func (g *Group) wantsSlots() bool {
	log.Dbg("Constructing select group %d", g.ID)
	switch m := g.Props.SelectionMethod; m {
	case "":
		log.Dbg("No selection method specified. Trying dp_hash.")
	default:
		log.Dbg("Selection method specified: %s.", m)
	}
	switch {
	case g.Props.SelectionMethod == "hash":
		if g.Props.FieldSet.Empty() {
			log.Dbg("No hash fields. Falling back to default hash method.")
		}
		return false
	case len(g.Buckets) == 0:
		log.Dbg("  Don't apply dp_hash method without buckets.")
		log.Dbg("Falling back to default hash method.")
		return false
	}
	return true
}

// deal deals out n slots by the method of Webster and Sainte-Laguë: each goes to the
// bucket with the highest quotient of its weight by one more than twice the slots
// that it has. It returns how many each bucket has got.
func (g *Group) deal(n int) []int {
	g.slots = make([]uint8, n)
	have := make([]int, len(g.Buckets))
	for s := range g.slots {
		best := 0
		for i, b := range g.Buckets {
			if int(b.Weight)*(2*have[best]+1) > int(g.Buckets[best].Weight)*(2*have[i]+1) {
				best = i
			}
		}
		g.slots[s] = uint8(best)
		have[best]++
	}
	return have
}

// fillSlots makes the table of a group that chooses by weights.
func (g *Group) fillSlots() {
	if g.Type != openflow.GroupTypeSelect || len(g.Buckets) > maxSlots {
		return
	}
	if !g.wantsSlots() {
		return
	}
	total, least := 0, 0
	for _, b := range g.Buckets {
		w := int(b.Weight)
		total += w
		if w > 0 && (least == 0 || w < least) {
			least = w
		}
	}
	if total == 0 {
		return
	}
	n := 16
	for n*least < total {
		n *= 2
	}
	log.Dbg("  Minimum weight: %d, total weight: %d", least, total)
	if n > maxSlots {
		log.Dbg("  Too many hash values required: %d", n)
		log.Dbg("Falling back to default hash method.")
		return
	}
	log.Dbg("  Using %d hash values:", n)
	have := g.deal(n)
	for i, b := range g.Buckets {
		log.Dbg("  Bucket %d: weight=%d, target=%.2f hits=%d", b.ID, b.Weight, float64(b.Weight)*float64(n)/float64(total), have[i])
	}
	algorithm := 0
	if g.Props.SelectionMethod == "" {
		algorithm = 1
	}
	log.Dbg("Use dp_hash with %d hash values using algorithm %d.", n, algorithm)
}

// Bucket is one bucket of a group.
type Bucket struct {
	openflow.Bucket
	Stats Stats
}

// Group finds a group, nil where there is none.
func (p *Pipeline) Group(id uint32) *Group { return (*p.groups.Load())[id] }

// Groups lists all groups by number.
func (p *Pipeline) Groups() []*Group {
	var out []*Group
	for _, g := range *p.groups.Load() {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *Group) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// RefCount is the number of flows that name the group.
func (p *Pipeline) RefCount(id uint32) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byGroup[id])
}

// GroupMod applies one group mod by itself; see [Txn.GroupMod].
func (p *Pipeline) GroupMod(gm *openflow.GroupMod, now time.Time) ([]Event, error) {
	x := p.Begin(now)
	defer x.Abort()
	if err := x.GroupMod(gm); err != nil {
		return nil, err
	}
	return x.Commit(), nil
}

// GroupMod changes the group table; errors are *openflow.Error. Deleting a
// group deletes the flows that name it.
func (x *Txn) GroupMod(gm *openflow.GroupMod) error {
	old := x.Group(gm.ID)
	switch gm.Command {
	case openflow.GroupAdd:
		if gm.ID <= openflow.GroupMax && old != nil {
			return openflow.ErrGMFCGroupExists.Err()
		}
		return x.putGroup(gm, nil)
	case openflow.GroupModify:
		if old == nil {
			return openflow.ErrGMFCUnknownGroup.Err()
		}
		return x.putGroup(gm, old)
	case openflow.GroupAddOrMod:
		return x.putGroup(gm, old)
	case openflow.GroupDelete:
		x.deleteGroups(gm.ID)
		return nil
	case openflow.GroupInsertBucket, openflow.GroupRemoveBucket:
		if old == nil {
			return openflow.ErrGMFCUnknownGroup.Err()
		}
		return x.changeBuckets(gm, old)
	}
	return openflow.ErrGMFCBadCommand.Err()
}

func (x *Txn) putGroup(gm *openflow.GroupMod, old *Group) error {
	if gm.ID > openflow.GroupMax {
		return openflow.ErrGMFCInvalidGroup.Err()
	}
	if gm.Type > openflow.GroupTypeFF {
		return openflow.ErrGMFCBadType.Err()
	}
	g := &Group{ID: gm.ID, Type: gm.Type, Props: gm.Props, Created: x.now, Modified: x.now, Stats: new(Stats)}
	if old != nil {
		g.Created, g.Stats = old.Created, old.Stats
	}
	g.Buckets = newBuckets(gm.Buckets)
	return x.storeGroup(g)
}

// newBuckets takes over buckets. What their actions name need not exist: groups
// of a chain come in any order.
func newBuckets(in []openflow.Bucket) []*Bucket {
	var out []*Bucket
	for _, b := range in {
		out = append(out, &Bucket{Bucket: b})
	}
	return out
}

// unweigh takes the weight of one from buckets for a group that doesn't choose:
// those of an insertion that says none have it, since a message doesn't tell the
// type of the group that is there.
func unweigh(buckets []*Bucket) {
	for _, b := range buckets {
		if b.Weight == 1 {
			b.Weight = 0
		}
	}
}

func (x *Txn) storeGroup(g *Group) error {
	if g.Type == openflow.GroupTypeIndirect && len(g.Buckets) != 1 {
		return openflow.ErrGMFCInvalidGroup.Err()
	}
	g.fillSlots()
	x.changeGroups()[g.ID] = g
	return nil
}

func (x *Txn) deleteGroups(id uint32) {
	groups := x.changeGroups()
	for gid := range groups {
		if id == openflow.GroupAll || gid == id {
			delete(groups, gid)
			for r := range x.p.byGroup[gid] {
				x.remove(r, openflow.RemovedGroupDelete)
			}
		}
	}
}

// changeBuckets is OFPGC_INSERT_BUCKET and OFPGC_REMOVE_BUCKET (OpenFlow
// 1.5.1, 7.3.4.4). Buckets that stay keep their counters.
func (x *Txn) changeBuckets(gm *openflow.GroupMod, old *Group) error {
	g := *old
	g.Modified, g.slots = x.now, nil
	var err error
	if gm.Command == openflow.GroupRemoveBucket {
		g.Buckets, err = old.without(gm.CommandBucketID)
	} else {
		g.Buckets, err = old.with(gm)
	}
	if err != nil {
		return err
	}
	return x.storeGroup(&g)
}

// at is the place of a bucket, negative where there is none of that ID.
func (g *Group) at(id uint32) int {
	return slices.IndexFunc(g.Buckets, func(b *Bucket) bool { return b.ID == id })
}

// without returns the buckets but for the one, or those, that are to be removed.
func (g *Group) without(id uint32) ([]*Bucket, error) {
	switch id {
	case openflow.BucketAll:
		return nil, nil
	case openflow.BucketFirst:
		return g.Buckets[min(1, len(g.Buckets)):], nil
	case openflow.BucketLast:
		return g.Buckets[:max(0, len(g.Buckets)-1)], nil
	}
	i := g.at(id)
	if i < 0 {
		return nil, openflow.ErrGMFCUnknownBucket.Err()
	}
	return slices.Delete(slices.Clone(g.Buckets), i, i+1), nil
}

// with returns the buckets with those of a message inserted.
func (g *Group) with(gm *openflow.GroupMod) ([]*Bucket, error) {
	fresh := newBuckets(gm.Buckets)
	if g.Type != openflow.GroupTypeSelect {
		unweigh(fresh)
	}
	i := 0
	switch gm.CommandBucketID {
	case openflow.BucketFirst:
	case openflow.BucketLast:
		i = len(g.Buckets)
	default:
		if i = g.at(gm.CommandBucketID) + 1; i == 0 {
			return nil, openflow.ErrGMFCUnknownBucket.Err()
		}
	}
	for _, b := range gm.Buckets {
		if g.at(b.ID) >= 0 {
			return nil, openflow.ErrGMFCBucketExists.Err()
		}
	}
	return slices.Insert(slices.Clone(g.Buckets), i, fresh...), nil
}

// SameActions compares actions by value. It is for flow monitors, not for
// packets.
func SameActions(a, b []openflow.Action) bool { return reflect.DeepEqual(a, b) }
