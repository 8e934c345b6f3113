/**
 * The distill command: from a table of labelled rows to an exported student. It chooses the
 * settings that the user leaves out, holds out rows, fine-tunes a teacher, writes a recipe, and
 * runs the jobs of the other commands on that recipe.
 */
@NullMarked
package io.stillhouse.jobs.distill;

import org.jspecify.annotations.NullMarked;
