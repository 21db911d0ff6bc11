package conformance

// foreign: what is not ours stays as it is, whatever our ports do.
func (r *run) foreign() {
	read := r.Foreign()
	before := read()
	if before == "" {
		r.Fatal("there is nothing foreign: nothing would be proven")
	}
	for _, l := range append(r.round(), leg{"released", r.intent()}) {
		r.becomes(l.name, l.to)
		if after := read(); after != before {
			r.Fatalf("%s: what is foreign was\n%s\nand is\n%s", l.name, before, after)
		}
	}
	r.restart()
	r.becomes("after a restart", r.intent())
	if after := read(); after != before {
		r.Errorf("after a restart: what is foreign was\n%s\nand is\n%s", before, after)
	}
}

// silence: on a converged switch passes write nothing, not even after a restart; what others change is heard and set right.
func (r *run) silence() {
	in := r.intent(r.tenant(0, red), r.tenant(1, green))
	r.becomes("at first", in)
	kicks, take := r.Watch(), r.Listen()
	take()
	drain(kicks)
	for range 3 {
		_, ops := r.agent.Plan(r.T, in)
		r.agent.System.Apply(r.Context(), ops)
	}
	r.restart()
	_, ops := r.agent.Plan(r.T, in)
	r.agent.System.Apply(r.Context(), ops)
	for _, write := range take() {
		r.Errorf("a pass on a converged switch wrote: %s", write)
	}
	r.Disturb(r.p[2])
	r.kicked(kicks, r.p[2], "was changed")
	if len(take()) == 0 {
		r.Error("the change of another was not heard as a write: the silence before proves nothing")
	}
	r.becomes("disturbed", in)
}
