// Package reliability holds what the database server must survive: disks that
// fill, files with a byte gone wrong, clients that never read, that send a byte
// a second, that come by the thousand or send rubbish. Its tests start the
// programs of ../../bin and watch them from the outside: answers, memory and
// what the file says afterwards.
package reliability
