package storage

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
)

// A record is a header, "OVSDB <magic> <length> <sha1>\n", and that many bytes of
// data, which a newline ends (ovsdb(5), "Standalone Format").

// hexSum returns the SHA-1 of data in hexadecimal.
func hexSum(data []byte) string {
	sum := sha1.Sum(data)
	return hex.EncodeToString(sum[:])
}

// parseHeader parses "OVSDB <magic> <length> <sha1>\n".
func parseHeader(line []byte, magic string) (length int, sum string, ok bool) {
	text, found := strings.CutSuffix(string(line), "\n")
	if !found {
		return 0, "", false
	}
	f := strings.Split(text, " ")
	if len(f) != 4 || f[0] != "OVSDB" || f[1] != magic || len(f[3]) != 2*sha1.Size {
		return 0, "", false
	}
	n, err := strconv.ParseUint(f[2], 10, 31)
	if err != nil || n == 0 {
		return 0, "", false
	}
	return int(n), f[3], strings.Trim(f[3], "0123456789abcdef") == ""
}

// appendHeader appends the header of a record of the given length.
func appendHeader(dst []byte, magic string, length int, sum string) []byte {
	dst = append(dst, "OVSDB "+magic+" "...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	dst = append(dst, ' ')
	dst = append(dst, sum...)
	return append(dst, '\n')
}

// noSum stands for a SHA-1 that isn't known yet.
const noSum = "0000000000000000000000000000000000000000"

// appendRecord appends a record with its header to dst.  The record has no
// newline at its end; the one that ends it in the file belongs to the data that
// the header describes.
func appendRecord(dst []byte, magic string, record []byte) []byte {
	dst = appendHeader(dst, magic, len(record)+1, noSum)
	from := len(dst)
	dst = append(dst, record...)
	dst = append(dst, '\n')
	sum := sha1.Sum(dst[from:])
	hex.Encode(dst[from-1-len(noSum):], sum[:])
	return dst
}
