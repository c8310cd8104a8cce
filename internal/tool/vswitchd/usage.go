package vswitchd

import (
	"fmt"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/paths"
	"weir/internal/tlsopt"
)

func (s *settings) usage(env *cli.Env) {
	fmt.Fprintf(env.Stdout, `%s: Open vSwitch daemon
usage: %s [OPTIONS] [DATABASE]
where DATABASE is a socket on which ovsdb-server is listening
      (default: "unix:%s").

Active DATABASE connection methods:
  tcp:HOST:PORT           PORT at remote HOST
  ssl:HOST:PORT           SSL PORT at remote HOST
  unix:FILE               Unix domain socket named FILE
%s%s%s
Data paths and devices for tests:
  --enable-dummy[=override|system]
                          add data path and device types that need no kernel,
                          in the place of all types, or of "system"
  --disable-system        leave the types out that need the kernel
  --dummy-numa=NODES      make up cores on the memory nodes NODES, as in 0,0,1,1
  --disable-system-route  don't read the kernel's routes

Other options:
  --mlockall              lock all memory
  --unixctl=SOCKET        override default control socket name
  -h, --help              display this help message
  -V, --version           display version information
`, env.Name, env.Name, paths.InRunDir("db.sock"), tlsopt.Usage, daemon.Usage(env.Name), cli.LogUsage(env.Name))
}
