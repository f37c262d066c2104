/* obmend(8): the node. Started by people it becomes parent; parent starts it again for every role.
 */
#include "obmend/role.h"

int
main(int argc, char **argv)
{
	return program_main(&obmend, argc, argv);
}
