package netdev

import (
	"errors"
	"fmt"
	"slices"
)

// Provider opens devices of one type.
type Provider struct {
	// Type is as in Interface.type.
	Type string
	// Open opens the device of that name; options are those of the Interface.
	// A device that isn't there is ENODEV.
	Open func(name string, options map[string]string) (Device, error)
}

// Providers are the types of device that a switch knows. The composition root
// makes the list; the first of two with the same type counts.
type Providers []Provider

// ErrUnknownType says that no provider has the type.
var ErrUnknownType = errors.New("unknown type")

// Open opens a device. The empty type is "system".
func (ps Providers) Open(name, typ string, options map[string]string) (Device, error) {
	if typ == "" {
		typ = "system"
	}
	for _, p := range ps {
		if p.Type == typ {
			dev, err := p.Open(name, options)
			if err != nil {
				return nil, fmt.Errorf("device %q of type %q: %w", name, typ, err)
			}
			return dev, nil
		}
	}
	return nil, fmt.Errorf("device %q: %w %q (known are %q)", name, ErrUnknownType, typ, ps.Types())
}

// Types are the types known, sorted.
func (ps Providers) Types() []string {
	var types []string
	for _, p := range ps {
		if !slices.Contains(types, p.Type) {
			types = append(types, p.Type)
		}
	}
	slices.Sort(types)
	return types
}
