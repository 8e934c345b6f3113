/** Compares a teacher and its students on held-out text. */
package io.stillhouse.jobs.evaluate;
