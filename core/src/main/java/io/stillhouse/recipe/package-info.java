/** Turns settings into the specs that jobs take, and checks what no single option can. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.recipe;
