#!/bin/bash
# One shard of a job for each task of a Slurm array. Its arguments are those of train_shard but --shard:
#
#     sbatch --array=0-39 --time=01:00:00 --gres=gpu:1 builders/slurm_array.sh \
#         --space r1 --dataset cifar10 --recipe gpu-12 --images IMAGES --out SHARDS
#
# Submit it from the root of the checkout. A task begins no network that is not expected to end before Slurm kills
# it, and Slurm's SIGUSR1, two minutes before, has it finish what runs. Submit the same line again and each task
# goes on where it was. Keep the size of the array: it is in the names of the shards.
#
#     REQUEUES   how often a task that is not done may put itself back into the queue; default: never
#     JOB        builders.train_shard, which is the default, or builders.score_shard
#     PYTHON     the interpreter; default: python
#
#SBATCH --job-name=nbzero
#SBATCH --array=0-39
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=nbzero-%A-%a.log
set -u
UNFINISHED=75 # exit status of a job that was ended before it was done

if [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || [ -z "${SLURM_ARRAY_TASK_COUNT:-}" ]; then
    echo "error: this is a task of an array: submit it by sbatch --array=0-39 $0 ARGUMENTS" >&2
    exit 2
fi
last=$((SLURM_ARRAY_TASK_COUNT - 1))
if [ "${SLURM_ARRAY_TASK_MIN:-0}" != 0 ] || [ "${SLURM_ARRAY_TASK_MAX:-$last}" != "$last" ]; then
    echo "error: number the tasks of the array from 0 without gaps: --array=0-$last" >&2
    exit 2
fi

limit=()
if [ -n "${SLURM_JOB_END_TIME:-}" ]; then
    # A minute is left for the start and for the file.
    left=$((SLURM_JOB_END_TIME - $(date +%s) - 60))
    limit=(--time-limit "$((left > 0 ? left : 0))s")
fi

# Slurm's signal comes to this shell alone (B:). It waits behind a process that runs in the foreground, so the
# job runs in the background, and `wait` is what the signal interrupts.
job=
asked=
ask() {
    asked=$1
    [ -z "$job" ] || kill -s "$1" "$job"
}
for name in USR1 TERM HUP; do
    trap "ask $name" "$name"
done

cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
"${PYTHON:-python}" -m "${JOB:-builders.train_shard}" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --unfinished-status $UNFINISHED ${limit[@]+"${limit[@]}"} "$@" &
job=$!
[ -z "$asked" ] || kill -s "$asked" "$job"
while kill -0 "$job" 2>/dev/null; do
    wait "$job"
done
wait "$job"
status=$?

[ "$status" = $UNFINISHED ] || exit "$status"
if [ "${SLURM_RESTART_COUNT:-0}" -lt "${REQUEUES:-0}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
