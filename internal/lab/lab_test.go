package lab

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

// A veth pair between two namespaces carries TCP; a namespace that isn't there
// gives an error that names it.
func TestPairCarriesTCP(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	const prefix = "weir-labtest-"
	RemoveNamespaces(prefix)
	t.Cleanup(func() { RemoveNamespaces(prefix) })
	if err := AddNamespace(prefix + "a"); err != nil {
		t.Fatal(err)
	}
	b := Host{Space: prefix + "b", Port: "eth0", Addr: "10.79.0.2/24"}
	if err := b.Attach(prefix + "a"); err != nil {
		t.Fatal(err)
	}
	if err := IP("-n " + prefix + "a addr add 10.79.0.1/24 dev eth0"); err != nil {
		t.Fatal(err)
	}
	bps, err := MeasureTCP(context.Background(), prefix+"a", b.Space, b.IPAddr(), 100*time.Millisecond)
	if err != nil || bps <= 0 {
		t.Errorf("got %v bit/s, %v", bps, err)
	}
	err = Within(prefix+"none", func() error { _, err := net.Interfaces(); return err })
	if err == nil {
		t.Error("no error for a namespace that isn't there")
	}
}
