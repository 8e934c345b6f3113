/**
 * Trains one student with several logical workers in rounds (DiLoCo, arXiv:2311.08105). Each round
 * is a Spark job: the map side takes every worker's steps, the reduce side averages their
 * differences, and the driver takes the outer step.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.rounds;
