package ovsdbserver

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"weir/internal/ovsdb/server"
)

// family is one metric with its samples. The data model and the formats are
// Prometheus's libraries'; its registry is not used, since linking it in makes
// every program of this binary start 2 ms later.
func family(name, help string, kind dto.MetricType, samples ...*dto.Metric) *dto.MetricFamily {
	return &dto.MetricFamily{Name: new(name), Help: new(help), Type: kind.Enum(), Metric: samples}
}

// sample is a value of a metric, with label names and values in turn.
func sample(kind dto.MetricType, value float64, labels ...string) *dto.Metric {
	m := &dto.Metric{}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: new(labels[i]), Value: new(labels[i+1])})
	}
	if kind == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: new(value)}
	} else {
		m.Gauge = &dto.Gauge{Value: new(value)}
	}
	return m
}

// families returns the metrics of a server: those of all clients together, those
// of each table, and the process's. Clients have no metrics of their own: they
// come and go, and metrics stay.
func families(srv *server.Server) []*dto.MetricFamily {
	const gauge, counter = dto.MetricType_GAUGE, dto.MetricType_COUNTER
	usage, totals := srv.Usage(), srv.Totals()
	var queued, waiting int
	for i := range usage.Clients {
		queued += usage.Clients[i].Queued
		waiting += usage.Clients[i].Waiting
	}
	one := func(name, help string, kind dto.MetricType, value float64) *dto.MetricFamily {
		return family(name, help, kind, sample(kind, value))
	}
	rows := family("weir_ovsdb_rows", "Rows of a table.", gauge)
	changes := family("weir_ovsdb_row_changes_total", "Changes of a table's rows by transactions.", counter)
	monitors := family("weir_ovsdb_monitors", "Monitors that watch a table.", gauge)
	for i := range usage.Tables {
		t := &usage.Tables[i]
		labels := []string{"database", t.Database, "table", t.Table}
		rows.Metric = append(rows.Metric, sample(gauge, float64(t.Rows), labels...))
		changes.Metric = append(changes.Metric, sample(counter, float64(t.Changes), labels...))
		monitors.Metric = append(monitors.Metric, sample(gauge, float64(t.Monitors), labels...))
	}
	cpu, resident := processUse()
	return []*dto.MetricFamily{
		one("weir_ovsdb_sessions", "Clients that are connected.", gauge, float64(len(usage.Clients))),
		one("weir_ovsdb_queued_bytes", "Bytes that clients have not taken yet.", gauge, float64(queued)),
		one("weir_ovsdb_waiting_transactions", "Transactions that wait for the database to change.", gauge, float64(waiting)),
		one("weir_ovsdb_accepted_sessions_total", "Clients that have connected.", counter, float64(totals.Sessions)),
		one("weir_ovsdb_requests_total", "Requests of clients.", counter, float64(totals.Requests)),
		one("weir_ovsdb_request_seconds_total", "Time spent in requests of clients, estimated for small transactions.", counter, totals.Busy.Seconds()),
		one("weir_ovsdb_updates_total", "Updates sent to clients that monitor tables.", counter, float64(totals.Updates)),
		one("weir_ovsdb_received_bytes_total", "Bytes received from clients.", counter, float64(totals.Received)),
		one("weir_ovsdb_sent_bytes_total", "Bytes sent to clients.", counter, float64(totals.Sent)),
		rows, changes, monitors,
		one("process_cpu_seconds_total", "CPU time of the process, user and system.", counter, cpu.Seconds()),
		one("process_max_resident_memory_bytes", "Largest resident memory of the process so far.", gauge, float64(resident)),
		one("go_goroutines", "Goroutines that exist.", gauge, float64(runtime.NumGoroutine())),
	}
}

// processUse returns the process's CPU time and its peak memory in bytes.
func processUse() (cpu time.Duration, resident int64) {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0, 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()), use.Maxrss << 10
}

// writeMetrics writes the metrics in a format.
func writeMetrics(w io.Writer, format expfmt.Format, srv *server.Server) error {
	e := expfmt.NewEncoder(w, format)
	for _, f := range families(srv) {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	if c, ok := e.(expfmt.Closer); ok {
		return c.Close()
	}
	return nil
}

// serveMetrics offers the server's metrics by HTTP at /metrics, in the OpenMetrics
// format for whoever asks for that and Prometheus's own for others, until the
// returned function is called. bound is the address with the port in use.
func serveMetrics(addr string, srv *server.Server) (stop func(), bound string, err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
		w.Header().Set("Content-Type", string(format))
		if err := writeMetrics(w, format, srv); err != nil {
			log.Warn("metrics for %s: %v", r.RemoteAddr, err)
		}
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	go func() { _ = web.Serve(l) }() // until it is closed
	return func() { _ = web.Close() }, l.Addr().String(), nil
}
