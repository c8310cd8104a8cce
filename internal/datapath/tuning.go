package datapath

// Tuner is a Datapath whose threads and caches follow other_config of the
// Open_vSwitch row and of Interface rows (ovs-vswitchd.conf.db(5)). Both
// methods may be called again with what is in force already.
type Tuner interface {
	// Tune applies other_config of Open_vSwitch.
	Tune(other map[string]string)
	// TunePort applies other_config of the Interface behind the port of that
	// name, and looks at the device anew for its number of queues.
	TunePort(name string, other map[string]string)
}
