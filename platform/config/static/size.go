package static

import (
	"math"
	"strconv"
	"strings"
)

// unit is a unit of sizes.
type unit struct {
	name  string
	bytes int64
}

// units lists the units, the largest first; binary ones come first because they are what sizes are shown in.
func units() []unit {
	return []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
}

// Size takes a number of bytes from lo to hi, with or without a unit: 10485760, 10MiB, 1.5 GB.
func Size(field *int64, lo, hi int64) Value {
	return NewValue("a size from "+sizeText(lo)+" to "+sizeText(hi), func(t string) error {
		n, ok := parseSize(t)
		if !ok || n < lo || n > hi {
			return errOther
		}
		*field = n
		return nil
	}, func() any { return sizeText(*field) })
}

// Auto in the field of an AutoSize stands for the word auto.
const Auto = -1

// AutoSize takes a Size, or the word auto for one that its owner chooses.
func AutoSize(field *int64, lo, hi int64) Value {
	size := Size(field, lo, hi)
	return NewValue("auto, or "+size.Takes(), func(t string) error {
		if t == "auto" {
			*field = Auto
			return nil
		}
		return size.Set(t)
	}, func() any {
		if *field == Auto {
			return "auto"
		}
		return size.Get()
	})
}

func parseSize(text string) (int64, bool) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range units() {
		if len(number) > len(u.name) && strings.EqualFold(number[len(number)-len(u.name):], u.name) {
			number, factor = strings.TrimSpace(number[:len(number)-len(u.name)]), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	f *= float64(factor)
	// A size is a whole number that a float holds exactly.
	return int64(f), err == nil && f >= 0 && f < 1<<53 && f == math.Trunc(f)
}

// sizeText gives a size in the largest binary unit that divides it.
func sizeText(n int64) string {
	for _, u := range units()[:3] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
