package stamp

// daysSince1970 counts days in the proleptic Gregorian calendar.
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	// Years begin in March, so that the leap day is the last of its year. 400 years are added, so that divisions do not
	// have to round negative numbers.
	y += 400
	return int64(365*y+y/4-y/100+y/400+(153*(m-3)+2)/5+d-1) - 719468 - 146097
}

func validDate(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	switch m {
	case 4, 6, 9, 11:
		return d <= 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return d <= 29
		}
		return d <= 28
	}
	return d <= 31
}

// monthOf reads an English month name of three letters, in any case, at the start of s; 0 when there is none.
func monthOf(s string) int {
	if len(s) < len("Nov 3 08:00:00") {
		return 0
	}
	switch uint32(s[0]|0x20)<<16 | uint32(s[1]|0x20)<<8 | uint32(s[2]|0x20) {
	case 'j'<<16 | 'a'<<8 | 'n':
		return 1
	case 'f'<<16 | 'e'<<8 | 'b':
		return 2
	case 'm'<<16 | 'a'<<8 | 'r':
		return 3
	case 'a'<<16 | 'p'<<8 | 'r':
		return 4
	case 'm'<<16 | 'a'<<8 | 'y':
		return 5
	case 'j'<<16 | 'u'<<8 | 'n':
		return 6
	case 'j'<<16 | 'u'<<8 | 'l':
		return 7
	case 'a'<<16 | 'u'<<8 | 'g':
		return 8
	case 's'<<16 | 'e'<<8 | 'p':
		return 9
	case 'o'<<16 | 'c'<<8 | 't':
		return 10
	case 'n'<<16 | 'o'<<8 | 'v':
		return 11
	case 'd'<<16 | 'e'<<8 | 'c':
		return 12
	}
	return 0
}

// yearAt reads a year from 1970 to 2099 at s[i:]; 0 when there is none.
func yearAt(s string, i int) int {
	if i+4 > len(s) || !pair(s, i) || !pair(s, i+2) {
		return 0
	}
	y := num(s, i)*100 + num(s, i+2)
	if y < 1970 || y > 2099 {
		return 0
	}
	return y
}

// word returns the letters at s[i:].
func word(s string, i int) string {
	end := i
	for end < len(s) && letter(s[end]) {
		end++
	}
	if end < len(s) && (digit(s[end]) || s[end] == '-' || s[end] == '_' || s[end] == '.' || s[end] == '/') {
		return "" // part of a longer word
	}
	return s[i:end]
}

// blanks returns where the blanks at s[i:] end.
func blanks(s string, i int) int {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i
}

func digit(c byte) bool { return c-'0' <= 9 }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// pair reports whether two digits are at s[i:].
func pair(s string, i int) bool { return digit(s[i]) && digit(s[i+1]) }

// num reads the two digits at s[i:].
func num(s string, i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }

// IsZone reports whether s is the abbreviation of a time zone, in the case that senders write.
func IsZone(s string) bool {
	_, ok := offsetOf(s)
	return ok
}

// offsetOf returns the seconds east of UTC of a zone's abbreviation.
func offsetOf(name string) (offset int, ok bool) {
	quarters := 0
	switch name {
	case "UTC", "GMT", "UCT", "WET":
	case "BST", "WEST", "CET", "MET":
		quarters = 4
	case "CEST", "MEST", "EET", "SAST":
		quarters = 8
	case "EEST", "MSK", "TRT":
		quarters = 12
	case "PKT":
		quarters = 20
	case "IST":
		quarters = 22
	case "ICT", "WIB":
		quarters = 28
	case "HKT", "SGT", "MYT", "AWST":
		quarters = 32
	case "JST", "KST":
		quarters = 36
	case "ACST":
		quarters = 38
	case "AEST":
		quarters = 40
	case "ACDT":
		quarters = 42
	case "AEDT":
		quarters = 44
	case "NZST":
		quarters = 48
	case "NZDT":
		quarters = 52
	case "BRT", "ART":
		quarters = -12
	case "AST", "EDT":
		quarters = -16
	case "ADT":
		quarters = -12
	case "EST", "CDT":
		quarters = -20
	case "CST", "MDT":
		quarters = -24
	case "MST", "PDT":
		quarters = -28
	case "PST", "AKDT":
		quarters = -32
	case "AKST":
		quarters = -36
	case "HST":
		quarters = -40
	default:
		return 0, false
	}
	return quarters * 900, true
}
