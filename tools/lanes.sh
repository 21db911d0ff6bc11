#!/usr/bin/env bash
# lanes.sh DIR NAME=COMMAND... runs commands beside each other, each with its output in DIR/NAME.log. Results of tests are shown as they come,
# all output at the end, that of commands that failed last, and after that once more what the tests that failed said. It fails if one of them
# does. $STAGGER is how many seconds lie between their starts.
set -uo pipefail
set -m # a process group for each, to be ended as one
dir=$1; shift
mkdir -p "$dir"
declare -A group command
end() {
  for g in "${group[@]}"; do kill "-$1" -- "-$g" 2>/dev/null; done
  wait
  exit 130
}
trap 'end INT' INT
trap 'end TERM' TERM
delay=0
for lane; do
  name=${lane%%=*} command[$name]=${lane#*=}
  echo "$name: ${command[$name]}"
  { sleep "$delay"
    began=$SECONDS
    bash -c "${command[$name]}" </dev/null 2>&1 | tee "$dir/$name.log" | sed -nu "s/^\(--- \|ok \|FAIL\)/$name: &/p"
    code=${PIPESTATUS[0]}
    echo "$name: exit $code after $((SECONDS - began)) s"
    exit "$code"; } &
  group[$name]=$!
  delay=$((delay + ${STAGGER:-0}))
done
failed=()
for lane; do
  name=${lane%%=*}
  wait "${group[$name]}" || { failed+=("$name"); continue; }
  echo "=== $name: ${command[$name]}"
  cat "$dir/$name.log"
done
for name in "${failed[@]}"; do
  echo "=== FAILED: $name: ${command[$name]}"
  cat "$dir/$name.log"
done
for name in "${failed[@]}"; do # a diagnosis is long, and where the end of a log is all that is left, it should say why
  echo "=== $name: what failed said"
  awk '/^=== RUN/ { verbose = 1; if ($3 !~ "/") said = ""; next }
    /^ *--- FAIL/ { printf "%s%s\n", said, $0; said = ""; after = !verbose; next }
    /^(--- |ok |FAIL|===)/ { said = ""; after = 0; next }
    /^ +[a-z0-9_]+\.go:[0-9]+: / { if (after) print; else if (verbose) said = said $0 "\n" }' "$dir/$name.log" | tail -n 60
done
exit $((${#failed[@]} > 0))
