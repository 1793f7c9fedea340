# The container tests, as `sh -c` runs them here and in virtual machines. $1 is the suite, the rest are
# its words.
#
# A test that failed runs three more times, by itself. It is a failed one unless it passes them all: then
# it was disturbed by what ran beside it, or by a machine that stood still, and the summary names it. With
# more than two failures none is tried again: that is no accident.
suite=$1
log=$HOME/suite.log
{ "$@"; echo $? > "$log.code"; } | tee "$log"
read -r code < "$log.code"
failed=$(sed -n 's/^test \([^ ]*\) .*\.\.\. FAILED.*/\1/p' "$log")
if [ "$code" != 101 ] || [ "$(echo "$failed" | wc -l)" -gt 2 ]; then
    exit "$code"
fi
for name in $failed; do
    echo "AGAIN $name"
    for round in 1 2 3; do
        "$suite" --show-output --test-threads=1 --exact "$name" || exit "$code"
    done
    echo "DISTURBED $name"
done
