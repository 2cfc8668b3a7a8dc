package demo

import "time"

// group is gear that speaks alike.
type group struct {
	weight    int // share of the everyday lines
	transport string
	hosts     []string
	lines     []line
}

// gear is everything that sends. Hosts that begin with lab- are for development.
func gear() []group {
	return []group{
		{50, "syslog-udp", []string{"edge-fra-1", "edge-par-1", "core-sw-01", "core-sw-02", "sw-acc-07", "sw-acc-08", "sw-acc-11", "fw-fra-1", "lab-sw-1"}, cisco()},
		{16, "syslog-tcp", []string{"mx-par-1", "mx-ams-1", "lab-mx-1"}, juniper()},
		{12, "syslog-tcp", []string{"leaf-ams-01", "leaf-ams-02", "spine-ams-01"}, arista()},
		{22, "http", []string{"app-fra-01", "app-fra-02", "db-fra-01", "k8s-ams-3", "lab-srv-2"}, linux()},
	}
}

func cisco() []line {
	return []line{
		{40, 6, "", "%SEC-6-IPACCESSLOGP: list 101 denied tcp {outside}({port}) -> {inside}(22), 1 packet"},
		{24, 5, "", "%SYS-5-CONFIG_I: Configured from console by {user} on vty{n} ({inside})"},
		{12, 5, "", "%LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet1/0/{n}, changed state to up"},
		{2, 3, "", "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/{n}, changed state to down"},
		{5, 4, "", "%ASA-4-106023: Deny tcp src outside:{outside}/{port} dst inside:{inside}/443 by access-group \"outside_in\""},
		{1, 5, "", "%OSPF-5-ADJCHG: Process 1, Nbr {inside} on Vlan110 from FULL to DOWN, Neighbor Down: Dead timer expired"},
		{2, 3, "", "%SYS-3-CPUHOG: Task is running for (20{n})msecs, more than (2000)msecs, process = IP SNMP"},
		{1, 2, "", "%ENVMON-2-FANFAIL: Fan tray {n} failed"},
	}
}

func juniper() []line {
	return []line{
		{30, 6, "mgd", "UI_CMDLINE_READ_LINE: User '{user}', command 'show bgp summary '"},
		{14, 5, "mgd", "UI_COMMIT: User '{user}' requested 'commit' operation (comment: none)"},
		{2, 4, "rpd", "RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer {inside} (External AS 64500) changed state from Established to Idle (event RecvNotify)"},
		{3, 4, "mib2d", "SNMP_TRAP_LINK_DOWN: ifIndex 5{n}, ifAdminStatus up(1), ifOperStatus down(2), ifName xe-0/0/{n}"},
		{8, 4, "sshd", "SSHD_LOGIN_FAILED: Login failed for user 'admin' from host '{outside}'"},
	}
}

func arista() []line {
	return []line{
		{30, 5, "Ebra", "%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet{n}, changed state to up"},
		{2, 5, "Ebra", "%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet{n}, changed state to down"},
		{10, 6, "Aaa", "%AAA-6-LOGIN: user {user} logged in [from: {inside}] [service: sshd]"},
		{1, 4, "Mlag", "%MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel{n} is link down. MLAG {n} is inactive"},
	}
}

func linux() []line {
	return []line{
		{40, 6, "CRON", "(root) CMD (/usr/lib/sysstat/sa1 1 1)"},
		{24, 6, "dhcpd", "DHCPACK on {inside} to 00:00:5e:00:53:{n} via eth0"},
		{12, 4, "sshd", "Failed password for invalid user admin from {outside} port {port} ssh2"},
		{1, 3, "kernel", "Out of memory: Killed process 23{n} (java) total-vm:8388608kB"},
		{2, 3, "systemd", "report-{n}.service: Main process exited, code=exited, status=1/FAILURE"},
	}
}

// scenes are what the day is about. The times are since the origin; each scene comes again.
func scenes() []scene {
	return []scene{
		{ // a link of edge-fra-1 flaps, and its optics say why
			first: -29 * time.Minute, period: 9 * time.Minute, length: 5 * time.Minute, pause: 4 * time.Second, transport: "syslog-udp", host: "edge-fra-1",
			lines: []line{
				{0, 3, "", "%LINK-3-UPDOWN: Interface HundredGigE0/1/0, changed state to down"},
				{0, 5, "", "%LINEPROTO-5-UPDOWN: Line protocol on Interface HundredGigE0/1/0, changed state to down"},
				{0, 5, "", "%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down BGP Notification sent"},
				{0, 3, "", "%SFF8472-3-THRESHOLD_VIOLATION: Hu0/1/0: Rx power low warning; Operating value: -12.{n} dBm, Threshold value: -10.0 dBm."},
				{0, 3, "", "%LINK-3-UPDOWN: Interface HundredGigE0/1/0, changed state to up"},
				{0, 5, "", "%LINEPROTO-5-UPDOWN: Line protocol on Interface HundredGigE0/1/0, changed state to up"},
				{0, 5, "", "%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Up"},
			},
		},
		{ // a loop below an access switch: a flood that no rule covers
			first: -13 * time.Minute, period: 6 * time.Minute, length: 25 * time.Second, pause: 80 * time.Millisecond, transport: "syslog-udp", host: "sw-acc-07",
			lines: []line{{0, 4, "", "%SW_MATM-4-MACFLAP_NOTIF: Host {mac} in vlan 110 is flapping between port Te1/0/1 and port Te1/0/2"}},
		},
		{ // a disk that is about to fail, which no rule knows either
			first: -34 * time.Minute, period: 90 * time.Second, length: time.Second, pause: time.Second, transport: "http", host: "db-fra-01",
			lines: []line{{0, 3, "smartd", "Device: /dev/sdb [SAT], 8 Currently unreadable (pending) sectors"}},
		},
		{
			first: -52 * time.Minute, period: 20 * time.Minute, length: time.Second, pause: time.Second, transport: "syslog-udp", host: "core-sw-02",
			lines: []line{{0, 2, "", "%ENVMON-2-FANFAIL: Fan tray 2 failed"}},
		},
	}
}

// DevHosts returns the development hosts as a CSV file.
func DevHosts() []byte { return []byte("hostname\nlab-*\n10.20.0.0/16\n") }

// Teams returns the teams of the devices as a CSV file.
func Teams() []byte {
	return []byte("hostname,team_assignment\nedge-*,NETO\ncore-*,NETO\nmx-*,NETO\nsw-acc-*,CAMPUS\nleaf-*,DCOPS\nspine-*,DCOPS\nfw-*,SECOPS\napp-*,SRE\ndb-*,SRE\nk8s-*,SRE\n")
}
