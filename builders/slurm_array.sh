#!/bin/bash
# One shard of a job for each task of a Slurm array. Its arguments are those of train_shard but --shard:
#
#     sbatch --array=0-39 --time=01:00:00 --gres=gpu:1 builders/slurm_array.sh \
#         --space r1 --dataset cifar10 --recipe gpu-12 --images IMAGES --out SHARDS
#
# A task begins no network that would not end before Slurm kills it. Slurm's SIGUSR1, two minutes before, has it
# finish what runs. Submit the same line again and each task goes on where it was. Keep the size of the array: it
# is in the names of the shards. With REQUEUES=20 a task that the signal ended puts itself back into the queue, so
# many times at most. JOB=builders.score_shard scores in place of training. PYTHON names the interpreter.
#SBATCH --job-name=nbzero
#SBATCH --array=0-39
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=nbzero-%A-%a.log
set -u

if [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || [ -z "${SLURM_ARRAY_TASK_COUNT:-}" ]; then
    echo "error: this is a task of an array: submit it by sbatch --array=0-39 $0 ARGUMENTS" >&2
    exit 2
fi
if [ "${SLURM_ARRAY_TASK_MIN:-0}" != 0 ] || [ "${SLURM_ARRAY_TASK_MAX:-$((SLURM_ARRAY_TASK_COUNT - 1))}" != $((SLURM_ARRAY_TASK_COUNT - 1)) ]; then
    echo "error: the tasks of the array are numbered from 0 without gaps: --array=0-$((SLURM_ARRAY_TASK_COUNT - 1))" >&2
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
asked=
job=
ask() {
    asked=$1
    [ -n "$job" ] && kill -s "$1" "$job" 2>/dev/null
}
trap 'ask USR1' USR1
trap 'ask TERM' TERM
trap 'ask HUP' HUP

cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
"${PYTHON:-python}" -m "${JOB:-builders.train_shard}" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    ${limit[@]+"${limit[@]}"} "$@" &
job=$!
while true; do
    wait "$job"
    status=$?
    kill -0 "$job" 2>/dev/null || break
done

if [ "$status" = 0 ] && [ "$asked" = USR1 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "${REQUEUES:-0}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
