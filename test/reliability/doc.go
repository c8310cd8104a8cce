// Package reliability holds what the daemons must survive: disks that fill, files
// with a byte gone wrong, clients that never read, that send a byte a second, that
// come by the thousand or send rubbish, random commands and configurations. Its tests
// start the programs of ../../bin and watch them from the outside: answers, memory,
// descriptors, and what files and logs say afterwards.
package reliability
