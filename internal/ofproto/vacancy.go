package ofproto

import (
	"sync"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// vacancies say which event of its vacancy a table waits for (OpenFlow 1.4.0,
// 7.3.4.2): one follows the other, so that a table on a threshold doesn't make
// many. mu owns them.
type vacancies struct {
	mu   sync.Mutex
	next [pipeline.NumTables]openflow.TableStatusReason // 0: none
}

// tableDescOf describes the configuration of a table.
func (b *Bridge) tableDescOf(id uint8) openflow.TableDesc {
	c := b.pipe.Table(id).Conf()
	d := openflow.TableDesc{TableID: id, Miss: c.Miss, VacancyDown: c.VacancyDown, VacancyUp: c.VacancyUp,
		EvictionFlags: openflow.EvictOther | openflow.EvictImportance | openflow.EvictLifetime}
	if c.EvictAsked {
		d.Eviction = 1
	}
	if c.VacancyEvents {
		d.Vacancy = 1
		d.VacancyNow = 100
		if c.Limit > 0 {
			d.VacancyNow = uint8(max(0, c.Limit-b.pipe.Active(id)) * 100 / c.Limit)
		}
	}
	return d
}

// awaitVacancy chooses the event to wait for when a table is configured: that
// it fills, unless it is too full for that to begin with.
func (b *Bridge) awaitVacancy(id uint8) {
	d := b.tableDescOf(id)
	b.vacancies.mu.Lock()
	defer b.vacancies.mu.Unlock()
	switch {
	case d.Vacancy != 1:
		b.vacancies.next[id] = 0
	case d.VacancyNow < d.VacancyUp:
		b.vacancies.next[id] = openflow.VacancyUpEvent
	default:
		b.vacancies.next[id] = openflow.VacancyDownEvent
	}
}

// checkVacancies tells the controllers of tables that have become fuller, or
// emptier, than they want to know of.
func (b *Bridge) checkVacancies(events []pipeline.Event) {
	var seen [pipeline.NumTables]bool
	for i := range events {
		id := events[i].Rule.Table
		if events[i].Kind == pipeline.Modified || seen[id] || !b.pipe.Table(id).Conf().VacancyEvents {
			continue
		}
		seen[id] = true
		d := b.tableDescOf(id)
		b.vacancies.mu.Lock()
		reason := b.vacancies.next[id]
		switch {
		case reason == openflow.VacancyDownEvent && d.VacancyNow < d.VacancyDown:
			b.vacancies.next[id] = openflow.VacancyUpEvent
		case reason == openflow.VacancyUpEvent && d.VacancyNow > d.VacancyUp:
			b.vacancies.next[id] = openflow.VacancyDownEvent
		default:
			reason = 0
		}
		b.vacancies.mu.Unlock()
		if reason == 0 {
			continue
		}
		b.conns.each(func(s *session) {
			if s.version() >= openflow.V14 {
				s.asyncIf(openflow.AsyncTableStatus, uint8(reason), &openflow.TableStatus{Reason: reason, Desc: d})
			}
		})
	}
}
