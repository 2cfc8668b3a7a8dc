package decode

import (
	"encoding/json"
	"strings"
	"testing"
)

// typical is a document of about 400 bytes, as syslog relays send it.
func typical() string {
	return `{"hostname":"core-sw-01.fra.example.net","timestamp":"2026-11-23T09:59:59.123456Z","message":"%LINK-3-UPDOWN: Interface GigabitEthernet1/0/24, ` +
		`changed state to down (neighbor 203.0.113.10, reason: carrier lost, duration 00:00:12)","severity":"err","facility":23,"app_name":"LINK",` +
		`"proc_id":"4711","msg_id":"UPDOWN","source_ip":"198.51.100.7","source_type":"syslog","_correlation_id":"0198c5b2-7d4e-7a3c-9f10"}`
}

func TestScannerDoesNotAllocate(t *testing.T) {
	d := newDecoder()
	for name, body := range map[string]string{"typical": typical(), "escapes and unknown members": doc(`,"x":1,"y":"z","app_name":"a\tb","severity":"odd","proc_id":73411`),
		"array":   "[" + typical() + "," + typical() + "]",
		"aliases": `{"host":"r1","@timestamp":"` + stampText + `","log":"m","x":{"y":[1,2]},"severity":3.0}`} {
		b := []byte(body)
		allocs := testing.AllocsPerRun(200, func() {
			for d.Reset(b, JSON); d.Next(); {
				if _, err := d.Event(); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs != 0 || d.Err() != nil {
			t.Errorf("%s: %v allocations, %v", name, allocs, d.Err())
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	nested := strings.Replace(typical(), `"severity"`, `"tags":["a",{"b":1}],"severity"`, 1)
	for name, body := range map[string]string{"typical": typical(), "nested": nested, "lines500": strings.Repeat(typical()+"\n", 500)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d, buf, n := newDecoder(), []byte(body), 0
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				for d.Reset(buf, JSON); d.Next(); n++ {
					if _, err := d.Event(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
		})
	}
}

// BenchmarkStandardLibrary is the yardstick: encoding/json into a struct of the same fields, without any checks.
func BenchmarkStandardLibrary(b *testing.B) {
	b.ReportAllocs()
	buf := []byte(typical())
	for b.Loop() {
		var e struct {
			Hostname, Timestamp, Message, Severity string
			Facility                               int
			AppName                                string `json:"app_name"`
			ProcID                                 string `json:"proc_id"`
			MsgID                                  string `json:"msg_id"`
			SourceIP                               string `json:"source_ip"`
			SourceType                             string `json:"source_type"`
			Correlation                            string `json:"_correlation_id"`
		}
		if err := json.Unmarshal(buf, &e); err != nil {
			b.Fatal(err)
		}
	}
}
