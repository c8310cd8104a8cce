package ovsdbserver

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"weir/internal/clock"
	"weir/internal/ovsdb/server"
	"weir/internal/stream"
)

// What is offered is what a parser of the format reads.
func TestMetrics(t *testing.T) {
	srv := server.New(clock.New(), t.TempDir(), &stream.TLS{})
	defer srv.Close()
	var b bytes.Buffer
	if err := writeMetrics(&b, expfmt.NewFormat(expfmt.TypeTextPlain), srv); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&b)
	if err != nil {
		t.Fatal(err)
	}
	if f := families["weir_ovsdb_rows"]; f == nil || len(f.Metric) != 1 || f.Metric[0].GetGauge().GetValue() != 1 ||
		f.Metric[0].Label[1].GetValue() != "Database" {
		t.Errorf("rows: %v", f)
	}
	if f := families["weir_ovsdb_requests_total"]; f == nil || f.Metric[0].GetCounter().GetValue() != 0 {
		t.Errorf("requests: %v", f)
	}
}

func TestServeMetrics(t *testing.T) {
	srv := server.New(clock.New(), t.TempDir(), &stream.TLS{})
	defer srv.Close()
	stop, addr, err := serveMetrics("127.0.0.1:0", srv)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/openmetrics-text") || !bytes.HasSuffix(text, []byte("# EOF\n")) {
		t.Errorf("%v\n%s", answer.Header, text)
	}
	// OpenMetrics knows a metric by its name without "_total".
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllSubmatch(text, -1) {
		if seen[string(m[1])] {
			t.Errorf("%s is there twice", m[1])
		}
		seen[string(m[1])] = true
	}
	stop()
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
		t.Error("still answers")
	}
	if _, _, err := serveMetrics("127.0.0.1:99999", srv); err == nil {
		t.Error("a port out of range was accepted")
	}
}
