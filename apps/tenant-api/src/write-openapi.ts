import { writeFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { controllers } from './app.js';
import { describeApi } from './openapi.js';

/*
 * Run at build: writes the OpenAPI document to the file that is named, for whoever generates a client. It needs neither a
 * database nor configuration: the routes are described, never called, so whatever they would work with is empty.
 */

const dependencies = new Set(
  controllers.flatMap((controller) => (Reflect.getMetadata('design:paramtypes', controller) ?? []) as (new () => unknown)[]),
);

@Module({ controllers, providers: [...dependencies].map((provide) => ({ provide, useValue: {} })) })
class Routes {}

const [file] = process.argv.slice(2);
if (!file) throw new Error('Name the file to write.');
const app = await NestFactory.create<NestFastifyApplication>(Routes, new FastifyAdapter(), { logger: ['error'] });
writeFileSync(file, `${JSON.stringify(describeApi(app, { TENANT_API_URL: 'http://localhost:4000' }), null, 2)}\n`);
