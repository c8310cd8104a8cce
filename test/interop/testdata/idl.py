"""Drives a database server by Open vSwitch's Python library: replica, conditions,
transactions, locks, reconnects.  Usage: idl.py SCHEMA REMOTE RECONNECT-COMMAND..."""
import subprocess
import sys
import time

import ovs.db.idl
import ovs.poller

schema_file, remote, reconnect = sys.argv[1], sys.argv[2], sys.argv[3:]


def new_idl(**conditions):
    helper = ovs.db.idl.SchemaHelper(schema_file)
    helper.register_table("Open_vSwitch")
    helper.register_table("Bridge")
    helper.register_table("Port")
    helper.register_table("Interface")
    idl = ovs.db.idl.Idl(remote, helper)
    for table, condition in conditions.items():
        idl.cond_change(table, condition)
    return idl


def run_until(idl, what, done):
    end = time.time() + 60
    while not done():
        if time.time() > end:
            sys.exit("timeout: " + what)
        idl.run()
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(50)
        if not done():
            poller.block()


def commit(idl, build):
    txn = ovs.db.idl.Transaction(idl)
    build(txn)
    status = txn.commit()
    end = time.time() + 60
    while status == ovs.db.idl.Transaction.INCOMPLETE and time.time() < end:
        idl.run()
        poller = ovs.poller.Poller()
        idl.wait(poller)
        txn.wait(poller)
        poller.timer_wait(50)
        poller.block()
        status = txn.commit()
    return status, txn


def names(idl):
    return sorted(row.name for row in idl.tables["Bridge"].rows.values())


writer = new_idl()
reader = new_idl(Bridge=[["name", "==", "py1"]])
run_until(writer, "first contents", writer.has_ever_connected)
run_until(reader, "first contents", reader.has_ever_connected)


def add(name):
    def build(txn):
        root = list(writer.tables["Open_vSwitch"].rows.values())[0]
        bridge = txn.insert(writer.tables["Bridge"])
        bridge.name = name
        bridge.external_ids = {"key": "value \u00e9"}
        root.addvalue("bridges", bridge.uuid)
        txn.add_comment("from python")
    return build


if not writer.tables["Open_vSwitch"].rows:
    status, _ = commit(writer, lambda txn: setattr(txn.insert(writer.tables["Open_vSwitch"]), "system_type", "python"))
    assert status == "success", status
for name in "py1", "py2":
    status, _ = commit(writer, add(name))
    assert status == "success", status
assert names(writer) == ["py1", "py2"], names(writer)
run_until(reader, "the row of the condition", lambda: names(reader) == ["py1"])

# A name that is taken is the server's error.
status, txn = commit(writer, add("py1"))
assert status == "error", status
assert "constraint violation" in txn.get_error(), txn.get_error()

# Another condition.
reader.cond_change("Bridge", [["name", "==", "py2"]])
run_until(reader, "the other condition's row", lambda: names(reader) == ["py2"])

# Modification of sets and maps.
row = [r for r in writer.tables["Bridge"].rows.values() if r.name == "py2"][0]
status, _ = commit(writer, lambda txn: row.setkey("external_ids", "other", "x"))
assert status in ("success", "unchanged"), status
run_until(reader, "the changed map", lambda: [r.external_ids.get("other") for r in reader.tables["Bridge"].rows.values()] == ["x"])

# Locks go from one client to the next.
writer.set_lock("mine")
run_until(writer, "lock", lambda: writer.has_lock)
reader.set_lock("mine")
run_until(reader, "contended lock", lambda: reader.is_lock_contended)
writer.set_lock(None)
end = time.time() + 60
while not reader.has_lock and time.time() < end:
    writer.run()
    reader.run()
    time.sleep(0.01)
assert reader.has_lock

# The server drops all connections: the library comes back and misses nothing.
# It leaves its replica as it was until it has the new contents.
subprocess.check_call(reconnect)
end = time.time() + 60
status, _ = commit(writer, add("py3"))
while status == "try again" and time.time() < end:
    writer.run()
    time.sleep(0.05)
    status, _ = commit(writer, add("py3"))
assert status == "success", status
run_until(writer, "py3", lambda: names(writer) == ["py1", "py2", "py3"])
reader.cond_change("Bridge", [True])
run_until(reader, "all rows", lambda: names(reader) == ["py1", "py2", "py3"])
print("OK", " ".join(names(reader)))
