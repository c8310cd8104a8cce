package ctl

import (
	"context"

	"weir/internal/cli"
)

// PrepareDatabase creates the database if there is none, and upgrades one of
// another schema, as `ovs-ctl start` does before it starts ovsdb-server. It
// returns the database's file name and that of the socket it is to be served on.
func PrepareDatabase(ctx context.Context, env *cli.Env) (file, socket string, err error) {
	c := &control{env: env, ctx: ctx, opts: defaults()}
	if err := c.makeDirectories(); err != nil {
		return "", "", err
	}
	schemaFile, remove, err := c.schemaFile()
	if err != nil {
		return "", "", err
	}
	defer remove()
	return c.opts.dbFile, c.opts.dbSock, c.prepareDatabase(schemaFile)
}

// DescribeSystem records versions, ids and the host's name in the database that is
// served by then, as `ovs-ctl --system-id=random start` does.
func DescribeSystem(ctx context.Context, env *cli.Env) error {
	c := &control{env: env, ctx: ctx, opts: defaults()}
	c.opts.systemID = "random"
	schemaFile, remove, err := c.schemaFile()
	if err != nil {
		return err
	}
	defer remove()
	return c.describeSystem(schemaFile)
}
