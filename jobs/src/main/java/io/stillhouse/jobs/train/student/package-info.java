/**
 * One student of a training: a {@link io.stillhouse.jobs.train.student.StudentRun} describes it,
 * and a {@link io.stillhouse.jobs.train.student.TrainTask} trains it inside a Spark task, keeps its
 * checkpoints and publishes its directory. A {@link
 * io.stillhouse.jobs.train.student.TrainedStudent} is the result.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.student;
