package dbctl

import "weir/internal/tlsopt"

// VerbHelp is the part of --help on the database verbs.
const VerbHelp = `Database commands:
  [--if-exists] [--columns=COL[,COL]...] list TBL [REC]...
                              list RECords (or all records) in TBL
  [--columns=COL[,COL]...] find TBL CONDITION...
                              list records satisfying CONDITIONs in TBL
  [--if-exists] [--id=@NAME] get TBL REC COL[:KEY]...
                              print values of COLumns in RECord in TBL; NAME
                              stands for the record in later commands
  [--if-exists] set TBL REC COL[:KEY]=VALUE...
                              set COLumn values in RECord in TBL
  [--if-exists] add TBL REC COL [KEY=]VALUE...
                              add (KEY=)VALUE to COLumn in RECord in TBL
  [--if-exists] remove TBL REC COL [KEY=]VALUE...
                              remove (KEY=)VALUE from COLumn
  [--if-exists] clear TBL REC COL...
                              clear values from COLumn in RECord in TBL
  [--id=@NAME] create TBL COL[:KEY]=VALUE...
                              create and initialize new record; NAME stands
                              for it in the other commands
  [--if-exists] destroy TBL REC...
                              delete RECord from TBL
  --all destroy TBL           delete all records from TBL
  wait-until TBL REC [COL[:KEY]=VALUE]...
                              wait until condition is true
  comment [ARG]...            add ARGs to the comment of the transaction

`

// OptionHelp is the part of --help on the tools' common options; it takes the
// default database.
const OptionHelp = `
Options:
  --db=DATABASE               connect to DATABASE
                              (default: %s)
  --no-wait                   do not wait for ovs-vswitchd to reconfigure
  --leader-only, --no-leader-only
                              ask only the leader of a cluster, or any server
  --shuffle-remotes, --no-shuffle-remotes
                              try several remotes in random order, or in theirs
  --retry                     keep trying to connect to server forever
  -t, --timeout=SECS          wait at most SECS seconds for ovs-vswitchd
  --dry-run                   do not commit changes to database
  --oneline                   print exactly one line of output per command
`

// OtherHelp is the end of --help.
const OtherHelp = `  --no-syslog             equivalent to logging nothing but warnings to syslog

Active database connection methods:
  tcp:HOST:PORT           PORT at remote HOST
  ssl:HOST:PORT           SSL PORT at remote HOST
  unix:FILE               Unix domain socket named FILE
` + tlsopt.Usage + `
Other options:
  -h, --help                  display this help message
  -V, --version               display version information
`
