import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { consoleView } from '@latchkey/contracts';
import { Console } from '@latchkey/tenancy';
import { Public } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Console')
@Public()
@Controller('v1/console')
export class ConsoleController {
  constructor(readonly console: Console) {}

  @Get()
  @Route({ does: 'Says where members sign in, to whoever asks', answers: consoleView })
  describe() {
    return this.console.describe();
  }
}
