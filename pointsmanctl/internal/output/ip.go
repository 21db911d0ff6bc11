package output

import apiv1 "github.com/pointsman/pointsman/pkg/api/v1"

func (p Printer) ipColumns() []column[*apiv1.IP] {
	type ip = *apiv1.IP
	return []column[ip]{
		{"ADDRESS", false, ip.GetAddress},
		{"NETWORK", false, ip.GetNetwork},
		{"KIND", false, func(i ip) string { return Word(i.GetKind()) }},
		{"STATE", false, func(i ip) string { return Word(i.GetState()) }},
		{"ALLOCATION", false, func(i ip) string { return text(i.GetAllocation()) }},
		{"AGE", false, func(i ip) string { return age(p.Now, i.GetCreateTime()) }},
		{"PROJECT", true, func(i ip) string { return text(i.GetProject()) }},
		{"DESCRIPTION", true, func(i ip) string { return text(i.GetDescription()) }},
	}
}

// IPs writes a list of addresses.
func (p Printer) IPs(r *apiv1.ListIPsResponse) error { return list(p, r, r.GetIps(), p.ipColumns()) }

// IP writes one address.
func (p Printer) IP(i *apiv1.IP) error { return get(p, i, p.ipColumns()) }
